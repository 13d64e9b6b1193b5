"""What a carrier over HTTP sends back: headers, bodies, events."""

from collections.abc import Iterable
from functools import lru_cache

from api.asgi import Message, Send
from gateway.call import Event, Outcome, Rate, Served
from gateway.errors import GatewayError

HeaderList = list[tuple[bytes, bytes]]

_JSON = b"application/json"
_EVENTS = b"text/event-stream; charset=utf-8"
_NANO = 1_000_000_000


class Answer:
    """One HTTP answer, begun at most once."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.started = False

    async def start(self, served: Served) -> None:
        """Begin a stream: from here on the status is said."""
        headers = [(b"content-type", _EVENTS), (b"cache-control", b"no-cache"), *self._served(served)]
        await self._begin(200, headers)

    async def send(self, event: Event) -> None:
        """Pass events of the stream on."""
        await self._send({"type": "http.response.body", "body": event.data, "more_body": True})

    async def finish_stream(self, outcome: Outcome) -> None:
        """Send what waited for the ledger, and end."""
        if not self.started:
            await self.start(outcome.served)
        await self._end(outcome.reply.body)

    async def reply(self, outcome: Outcome, body: bytes) -> None:
        """A whole answer."""
        headers = [
            (b"content-type", outcome.reply.content_type.encode("latin-1")),
            *self._served(outcome.served),
            (b"x-gateway-cost-usd", format_usd(outcome.charge_nano)),
            (b"x-gateway-overhead-ms", b"%.3f" % (outcome.overhead_us / 1000)),
            *((name.encode(), value.encode("latin-1")) for name, value in outcome.reply.headers.items()),
        ]
        await self.whole(outcome.reply.status, headers, body)

    async def fail(self, error: GatewayError, body: bytes, allow: str = "") -> None:
        """An error before anything was sent. A caller whose body was not read is not kept connected."""
        headers: HeaderList = [(b"content-type", _JSON)]
        if error.retry_after is not None or error.status in (429, 503):
            headers.append((b"retry-after", b"%d" % max(1, -int(-(error.retry_after or 1) // 1))))
        if allow:
            headers.append((b"allow", allow.encode()))
        if error.status in (413, 415):
            headers.append((b"connection", b"close"))
        await self.whole(error.status, headers, body)

    async def break_off(self, event: bytes) -> None:
        """An error after the stream began: said as its last event, without an end marker."""
        await self._end(event)

    async def json(self, status: int, body: bytes) -> None:
        """A small answer that no model gave."""
        await self.whole(status, [(b"content-type", _JSON)], body)

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Status, headers and body at once."""
        await self._begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._end(body)

    async def _begin(self, status: int, headers: HeaderList) -> None:
        self.started = True
        headers.append((b"x-request-id", self.request_id.encode("latin-1")))
        message: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(message)

    async def _end(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body})

    def _served(self, served: Served) -> HeaderList:
        return [*_name_headers(served.provider, served.model, served.cache), *rate_headers(served.rates)]


@lru_cache(maxsize=1024)
def _name_headers(provider: str, model: str, cache: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-gateway-provider", provider.encode("latin-1", "replace")),
        (b"x-gateway-model", model.encode("latin-1", "replace")),
        (b"x-gateway-cache", cache.encode()),
    )


def rate_headers(rates: Iterable[Rate]) -> HeaderList:
    """How far the caller's quotas are used, in the words OpenAI's clients read."""
    headers: HeaderList = []
    for rate in rates:
        unit = rate.unit.encode()
        headers += (
            (b"x-ratelimit-limit-" + unit, b"%d" % rate.limit),
            (b"x-ratelimit-remaining-" + unit, b"%d" % rate.remaining),
            (b"x-ratelimit-reset-" + unit, b"%.3fs" % (rate.reset_ms / 1000)),
        )
    return headers


def format_usd(nano: int) -> bytes:
    """Nano-dollars as dollars, to the last digit."""
    sign = b"-" if nano < 0 else b""
    return b"%b%d.%09d" % (sign, abs(nano) // _NANO, abs(nano) % _NANO)
