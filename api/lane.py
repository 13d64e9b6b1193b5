"""Carrier 1: plain HTTP and server-sent events, for every dialect.

1. the host is one of ours, the door exists and answers to the method
2. the body is read within its limit, and parsed by the dialect
3. the engine runs the call, streaming through the answer
4. what comes back, error or not, is rendered by the dialect
"""

import asyncio
import logging
import traceback

from api.answer import Answer
from api.asgi import WHOLE_ANSWER, Headers, Receive, Scope, Send, WriteWhole
from api.body import CallerLeft, is_long, read_body
from api.cors import Cors
from api.departure import Departure
from api.dialect import Dialect
from api.doors import DOORS, Door, Inference, Parse, dialect_of, find_door
from api.hosts import Hosts
from api.origin import read_origin, read_request_id
from api.reading import Reader
from gateway.caching.familiar import Familiar
from gateway.caching.remembered import Remembered
from gateway.call import Call, Outcome
from gateway.errors import GatewayError, StreamingDisabled, UnknownDoor, WrongMethod
from gateway.ids import uuid7
from gateway.pipeline import Gateway

logger = logging.getLogger(__name__)

_SHORT = 64 * 1024
"""Longer bodies are read anew each time."""
_FAMILIAR_BYTES = 16 * 1024 * 1024

_NO_EXTENSIONS: dict[str, WriteWhole] = {}


class Lane:
    """The ASGI app of the inference doors."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        reader: Reader,
        hosts: Hosts,
        cors: Cors,
        body_limit: int,
        streams: bool = True,
    ) -> None:
        self.gateway = gateway
        self.cors = cors
        self.streams = streams
        self.reader = reader
        self.hosts = hosts
        self.body_limit = body_limit
        self._familiar: Remembered[tuple[Parse, bytes], Familiar] = Remembered(_FAMILIAR_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: Headers = dict(scope["headers"])
        call_id = uuid7()
        write_whole = scope.get("extensions", _NO_EXTENSIONS).get(WHOLE_ANSWER)
        answer = Answer(send, read_request_id(headers, call_id), write_whole)
        answer.besides = self.cors.lines(headers)
        path: str = scope["path"]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        began = self.gateway.clock.monotonic()
        door, rest = find_door(path, headers)
        dialect = door.dialect if door is not None else _nearest_dialect(path, headers)
        try:
            self.hosts.check(headers.get(b"host", b""))
            entered = _checked(door, method, path)
            if method == "OPTIONS":  # browsers ask so before they send a key
                await answer.methods(_methods(entered))
                return
            address = scope["client"][0] if scope.get("client") else ""
            origin = read_origin(headers, answer.request_id, address, self.hosts)
            if isinstance(entered, Inference):
                if is_long(headers):
                    await self.gateway.directory.identify(origin)  # strangers are not listened to for long
                body = await read_body(receive, headers, self.body_limit, form=entered.form)
                known = self._known(entered, body)
                ask = entered.parse(body, headers) if known is None else known.ask
                started = self.gateway.clock.monotonic()
                call = Call(id=call_id, ask=ask, origin=origin, started=started)
                outcome = await self._run(call, known, dialect, answer, receive)
                if outcome.served.cache == "hit" and known is None and entered.by_body:
                    self._familiar.put((entered.parse, body), Familiar(call.ask), len(body))
            else:
                body = await read_body(receive, headers, self.body_limit) if entered.read else b""
                asked = {"name": rest, "query": scope["query_string"], "body": body}
                await answer.json(*await self.reader.tell(entered, method=method, origin=origin, **asked))
        except GatewayError as error:
            await self._fail(error, dialect, answer, door, began)
        except Exception as error:  # noqa: BLE001 - the caller gets an envelope, whatever went wrong
            log_failure(error, answer.request_id)
            await self._fail(GatewayError(), dialect, answer, door, began)

    def _known(self, door: Inference, body: bytes) -> Familiar | None:
        """What a body asks that was read before: the cache answered it, and so it comes again."""
        return self._familiar.get((door.parse, body)) if len(body) <= _SHORT else None

    async def _run(
        self, call: Call, known: Familiar | None, dialect: Dialect, answer: Answer, receive: Receive
    ) -> Outcome:
        if call.ask.stream and not self.streams:
            raise StreamingDisabled
        answer.renderer = dialect.open_stream(call) if call.ask.stream else None
        with Departure(receive, self.gateway.upstream.ticker) as departure:
            try:
                outcome = await self.gateway.run(call, answer if call.ask.stream else None, known)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not departure.happened or task is None or task.uncancel():
                    raise
                raise CallerLeft from None
        if call.ask.stream:
            await answer.finish_stream(outcome)
        else:
            await answer.reply(outcome, dialect.render_reply(call, outcome))
        return outcome

    async def _fail(
        self, error: GatewayError, dialect: Dialect, answer: Answer, door: Door | None, began: float
    ) -> None:
        if answer.started:
            await answer.break_off(dialect.render_stream_error(error, answer.request_id))
            return
        spent_us = round((self.gateway.clock.monotonic() - began) * 1_000_000)
        allow = _methods(door) if isinstance(error, WrongMethod) and door is not None else ""
        body = dialect.render_error(error, answer.request_id)
        await answer.fail(error, body, overhead_us=spent_us, allow=allow)


def _methods(door: Door) -> str:
    """What a door answers to, as `Allow` lists it."""
    return f"{door.method.replace('GET', 'GET, HEAD')}, OPTIONS"


def _checked(door: Door | None, method: str, path: str) -> Door:
    if door is None:
        raise UnknownDoor(f"There is nothing at {path[:200]}.")
    if method != door.method and method not in (*door.method.split(", "), "OPTIONS"):
        raise WrongMethod(f"This address answers to {door.method} only.")
    return door


def _nearest_dialect(path: str, headers: Headers) -> Dialect:
    return dialect_of(path, headers) or DOORS["/v1/models"].dialect


def log_failure(error: Exception, request_id: str) -> None:
    """Where it broke and what kind of error it was; its message may hold what callers sent."""
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request %s failed: %s\n%s", request_id, type(error).__name__, where)
