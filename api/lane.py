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
from api.asgi import WHOLE_ANSWER, Receive, Scope, Send, WriteWhole
from api.body import CallerLeft, is_long, read_body
from api.departure import Departure
from api.doors import DOORS, Dialect, Door, Inference, Reading, dialect_of, find_door
from api.hosts import Hosts
from api.origin import Headers, read_origin, read_request_id
from api.reading import Reader
from gateway.call import Call
from gateway.errors import GatewayError, UnknownDoor, WrongMethod
from gateway.ids import uuid7
from gateway.pipeline import Gateway

logger = logging.getLogger(__name__)

_NO_EXTENSIONS: dict[str, WriteWhole] = {}


class Lane:
    """The ASGI app of the inference doors."""

    def __init__(self, *, gateway: Gateway, reader: Reader, hosts: Hosts, body_limit: int) -> None:
        self.gateway = gateway
        self.reader = reader
        self.hosts = hosts
        self.body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: Headers = dict(scope["headers"])
        call_id = uuid7()
        write_whole = scope.get("extensions", _NO_EXTENSIONS).get(WHOLE_ANSWER)
        answer = Answer(send, read_request_id(headers, call_id), write_whole)
        path: str = scope["path"]
        door, rest = find_door(path)
        dialect = door.dialect if door is not None else _nearest_dialect(path)
        try:
            self.hosts.check(headers.get(b"host", b""))
            _check_door(door, scope["method"], path)
            address = scope["client"][0] if scope.get("client") else ""
            origin = read_origin(headers, call_id, address, self.hosts)
            if isinstance(door, Reading):
                status, body = await self.reader.read(door, rest, origin)
                await answer.json(status, body)
            elif isinstance(door, Inference):
                if is_long(headers):
                    await self.gateway.directory.identify(origin)  # strangers are not listened to for long
                ask = door.parse(await read_body(receive, headers, self.body_limit))
                call = Call(id=call_id, ask=ask, origin=origin, started=self.gateway.clock.monotonic())
                await self._run(call, dialect, answer, receive)
        except GatewayError as error:
            await _fail(error, dialect, answer, door)
        except Exception as error:  # noqa: BLE001 - the caller gets an envelope, whatever went wrong
            _log(error, answer.request_id)
            await _fail(GatewayError(), dialect, answer, door)

    async def _run(self, call: Call, dialect: Dialect, answer: Answer, receive: Receive) -> None:
        with Departure(receive, self.gateway.upstream.ticker) as departure:
            try:
                outcome = await self.gateway.run(call, answer if call.ask.stream else None)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not departure.happened or task is None or task.uncancel():
                    raise
                raise CallerLeft from None
        if call.ask.stream:
            await answer.finish_stream(outcome)
        else:
            await answer.reply(outcome, dialect.render_reply(call.ask, outcome))


def _check_door(door: Door | None, method: str, path: str) -> None:
    if door is None:
        raise UnknownDoor(f"There is nothing at {path[:200]}.")
    if method != door.method:
        raise WrongMethod(f"This address answers to {door.method} only.")


def _nearest_dialect(path: str) -> Dialect:
    return dialect_of(path) or DOORS["/v1/models"].dialect


async def _fail(error: GatewayError, dialect: Dialect, answer: Answer, door: Door | None) -> None:
    if answer.started:
        await answer.break_off(dialect.render_stream_error(error, answer.request_id))
    else:
        allow = door.method if isinstance(error, WrongMethod) and door is not None else ""
        await answer.fail(error, dialect.render_error(error, answer.request_id), allow)


def _log(error: Exception, request_id: str) -> None:
    """Where it broke and what kind of error it was; its message may hold what callers sent."""
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request %s failed: %s\n%s", request_id, type(error).__name__, where)
