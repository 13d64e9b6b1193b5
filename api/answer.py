"""What a carrier over HTTP sends back: headers, bodies, events."""

from functools import lru_cache

from api.asgi import Message, Send, WriteWhole
from api.dialect import StreamRenderer
from gateway.call import JSON, Event, Outcome, Rate, Served
from gateway.errors import GatewayError

_JSON = "content-type: application/json\r\n"
_EVENTS = "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
_CLOSE = "connection: close\r\n"
_NANO_DIGITS = 9
_NO_CONTROLS = dict.fromkeys((*(number for number in range(32) if number != 9), 127))


class Answer:
    """One HTTP answer, begun at most once."""

    def __init__(self, send: Send, request_id: str, write_whole: WriteWhole | None = None) -> None:
        self.besides = b""
        """Lines for every head of this answer, whatever it says."""
        self._send = send
        self._write_whole = write_whole
        self.request_id = request_id
        self.started = False
        self.renderer: StreamRenderer | None = None

    async def start(self, served: Served) -> None:
        """Begin a stream: from here on the status is said."""
        await self._begin(200, self._lines(_EVENTS + served_head(served)))

    async def send(self, event: Event) -> None:
        """Pass events of the stream on."""
        data = event.data if self.renderer is None else self.renderer.render(event)
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish_stream(self, outcome: Outcome) -> None:
        """Send what waited for the ledger, and end."""
        if not self.started:
            await self.start(outcome.served)
        await self._end(outcome.reply.body if self.renderer is None else self.renderer.finish(outcome))

    async def reply(self, outcome: Outcome, body: bytes) -> None:
        """A whole answer."""
        reply = outcome.reply
        kind = _JSON if reply.content_type == JSON else header_line("content-type", reply.content_type)
        head = (
            f"{kind}{served_head(outcome.served)}x-gateway-cost-usd: {format_usd(outcome.charge_nano)}\r\n"
            f"x-gateway-overhead-ms: {outcome.overhead_us / 1000:.3f}\r\n"
        )
        if reply.headers:
            head += "".join([header_line(name, value) for name, value in reply.headers.items()])
        await self._whole(reply.status, head, body)

    async def fail(self, error: GatewayError, body: bytes, *, overhead_us: int, allow: str = "") -> None:
        """An error before anything was sent. A caller whose body was not read is not kept connected."""
        head = _JSON + failed_head(error, overhead_us)
        if error.pause is not None:
            head += f"retry-after: {error.pause}\r\n"
        if allow:
            head += header_line("allow", allow)
        if error.status in (413, 415):
            await self._in_turn(error.status, head + _CLOSE, body)
        else:
            await self._whole(error.status, head, body)

    async def break_off(self, event: bytes) -> None:
        """An error after the stream began: said as its last event, without an end marker."""
        await self._end(event)

    async def json(self, status: int, body: bytes) -> None:
        """A small answer that no model gave."""
        await self._whole(status, _JSON, body)

    async def methods(self, allowed: str) -> None:
        """What an address answers to."""
        await self._whole(204, header_line("allow", allowed), b"")

    async def _whole(self, status: int, head: str, body: bytes) -> None:
        if self._write_whole is not None:
            self.started = True
            if self._write_whole(status, self._lines(head, body), body):
                return
        await self._in_turn(status, head, body)

    async def _in_turn(self, status: int, head: str, body: bytes) -> None:
        await self._begin(status, self._lines(head, body))
        await self._end(body)

    async def _begin(self, status: int, lines: bytes) -> None:
        self.started = True
        headers = [tuple(line.split(b": ", 1)) for line in lines.split(b"\r\n")[:-1]]
        message: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(message)

    async def _end(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body})

    def _lines(self, head: str, body: bytes | None = None) -> bytes:
        """All lines of the head; a stream has no length."""
        length = "" if body is None else f"content-length: {len(body)}\r\n"
        return (
            f"{head}x-request-id: {self.request_id}\r\n{length}".encode("latin-1", "replace") + self.besides
        )


def header_line(name: str, value: str) -> str:
    """A line of a head; whoever wrote the value, it stays one line."""
    return f"{name}: {value.translate(_NO_CONTROLS)}\r\n"


def served_head(served: Served) -> str:
    """Who answers, and how far the caller's quotas are used, in the words OpenAI's clients read."""
    head = _names_head(served.provider, served.model, served.cache) + _rates_head(served.rates)
    if not (served.position or served.waited_ms):
        return head
    waited = f"x-gateway-queue-wait-ms: {served.waited_ms}\r\n"
    return f"{head}x-gateway-queue-position: {served.position}\r\n{waited}"


def failed_head(error: GatewayError, overhead_us: int) -> str:
    """The same of a call that failed, and what it cost all the same."""
    outcome = error.outcome
    if outcome is None:
        head, nano = _names_head("", "", "bypass") + _rates_head(error.rates), 0
    else:
        head, nano, overhead_us = served_head(outcome.served), outcome.charge_nano, outcome.overhead_us
    spent = f"x-gateway-overhead-ms: {overhead_us / 1000:.3f}\r\n"
    return f"{head}x-gateway-cost-usd: {format_usd(nano)}\r\n{spent}"


def _rates_head(rates: tuple[Rate, ...]) -> str:
    head = ""
    for rate in rates:
        limit, reset = _rate_lines(rate.unit, rate.limit)
        head += f"{limit}{rate.remaining}{reset}{rate.reset_ms / 1000:.3f}s\r\n"
    return head


@lru_cache(maxsize=1024)
def _names_head(provider: str, model: str, cache: str) -> str:
    names = {"x-gateway-provider": provider, "x-gateway-model": model, "x-gateway-cache": cache}
    return "".join([header_line(*pair) for pair in names.items() if pair[1]])


@lru_cache(maxsize=1024)
def _rate_lines(unit: str, limit: int) -> tuple[str, str]:
    """What stands before the requests or tokens that remain, and what between them and the seconds."""
    named = f"x-ratelimit-limit-{unit}: {limit}\r\nx-ratelimit-remaining-{unit}: "
    return named, f"\r\nx-ratelimit-reset-{unit}: "


def format_usd(nano: int) -> str:
    """Nano-dollars as dollars, to the last digit."""
    if nano < 0:
        return "-" + format_usd(-nano)
    digits = str(nano).zfill(_NANO_DIGITS + 1)
    return f"{digits[:-_NANO_DIGITS]}.{digits[-_NANO_DIGITS:]}"
