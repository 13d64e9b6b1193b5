"""What goes on on one socket: frames come in, and every request they begin is a call of its own.

The session never waits for the caller to read while it listens: it must hear that the caller left, or does
not want a request any more. What it says itself is told by tasks, of which there are never many.
"""

import asyncio
from contextlib import suppress

from api.asgi import ENDING, Message, Receive
from api.dialects.socket import (
    Cancel,
    Generate,
    Telling,
    parse_frame,
    read_id,
    render_cancelled,
    render_error,
    render_reply,
)
from api.lane import log_failure
from api.origin import adjust_origin
from api.socket_line import FAILED, FAULTY, IDLE, INSISTING, LEFT, RESTARTING, Ending, SocketLine, ending_of
from gateway.call import Call, Event, Origin, Served
from gateway.errors import Forbidden, GatewayError, InvalidRequest, StreamingDisabled, Unauthenticated
from gateway.ids import uuid7
from gateway.pipeline import Gateway

REQUESTS_AT_MOST = 64
FAULTS_AT_MOST = 32
"""Frames in a row that could not be understood."""
REFUSALS_AT_MOST = 1_000
"""Frames in a row that were understood, and in vain."""
_LAST_WORDS_WITHIN = 1.0


class TooManyRequests(GatewayError):
    """Too many requests are open on this socket."""

    code = "too_many_requests"
    status = 429
    retryable = True


class DuplicateId(InvalidRequest):
    """A request with this id is open on this socket; it goes on."""

    code = "duplicate_id"


class UnknownRequest(GatewayError):
    """No request with this id is open on this socket."""

    code = "unknown_request"
    status = 404


class Restarting(GatewayError):
    """The server is restarting: open another socket."""

    code = "restarting"
    status = 503
    retryable = True


class Request:
    """A request that is open."""

    __slots__ = ("answered", "call", "cancelled", "name", "task")

    def __init__(self, name: str, call: Call) -> None:
        self.name = name
        self.call = call
        self.cancelled = False
        self.answered = False
        """Its last frame waits to be sent: it cannot be cancelled any more."""
        self.task: asyncio.Task[None] | None = None


class _Relay:
    """Tells a stream as it comes; while the caller does not read, the provider is not read either."""

    def __init__(self, telling: Telling, line: SocketLine) -> None:
        self._telling = telling
        self._line = line

    async def start(self, served: Served) -> None:
        """Who answers is said in the last frame."""

    async def send(self, event: Event) -> None:
        """Tell what came."""
        if frame := self._telling.render(event):
            await self._line.say(frame)


class Session:
    """A socket that was let in."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        origin: Origin,
        receive: Receive,
        line: SocketLine,
        streams: bool,
        idle_seconds: float,
    ) -> None:
        self._gateway = gateway
        self._origin = origin
        self._receive = receive
        self._line = line
        self._streams = streams
        self._idle_seconds = idle_seconds
        self._open: dict[str, Request] = {}
        self._notices: set[asyncio.Task[None]] = set()
        self._faults = 0
        self._refusals = 0
        self._restarting = False
        self._over = False
        self._quiet_since = asyncio.get_running_loop().time()

    async def serve(self) -> None:
        """Answer until the caller leaves or must go; then nothing is open any more."""
        ending = RESTARTING
        try:
            with suppress(asyncio.CancelledError):  # the server waits no longer, and cancels only once
                ending = await self._listen()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, what is open is settled
            log_failure(error, self._origin.request_id)
            ending = FAILED
        await self._leave(ending)

    async def _listen(self) -> Ending:
        while True:
            message = await self._next()
            if message is None:
                return IDLE
            if message["type"] == "websocket.disconnect":
                return LEFT
            ending = await (self._finish() if message["type"] == ENDING else self._take(message))
            if ending is not None:
                return ending
            await asyncio.sleep(0)  # a task that was begun has run once, and may be cancelled

    async def _next(self) -> Message | None:
        """What comes next; None once nothing was open for too long."""
        while True:
            left = self._idle_seconds
            if not self._open:
                left -= asyncio.get_running_loop().time() - self._quiet_since
                if left <= 0:
                    return None
            try:
                async with asyncio.timeout(left):
                    return await self._receive()
            except TimeoutError:
                continue

    async def _finish(self) -> Ending:
        """The server ends: begin nothing, and hear the caller on until all that is open is answered."""
        self._restarting = True
        working = [request.task for request in self._open.values() if request.task is not None]
        if not working:
            return RESTARTING
        hearing = asyncio.create_task(self._listen())
        done = asyncio.gather(*working, return_exceptions=True)
        try:
            await asyncio.wait((hearing, done), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hearing.cancel()
        return hearing.result() if hearing.done() and not hearing.cancelled() else RESTARTING

    async def _leave(self, ending: Ending) -> None:
        """Cancel what is open, say what is left to say, close, and wait until all is settled."""
        self._over = True
        calls = [request.task for request in self._open.values() if request.task is not None]
        for task in calls:
            task.cancel()
        if self._notices and ending is not LEFT:
            await asyncio.wait(self._notices, timeout=_LAST_WORDS_WITHIN)
        for notice in self._notices:
            notice.cancel()
        await self._line.close(ending)
        await asyncio.gather(*calls, return_exceptions=True)

    async def _take(self, message: Message) -> Ending | None:
        text = message.get("text")
        if text is None:
            return self._fault(None, InvalidRequest("A frame is JSON text, not binary."))
        frame = text.encode()
        try:
            asked = parse_frame(frame)
            if isinstance(asked, Cancel):
                return self._cancel(asked.id)
            return await self._begin(asked)
        except InvalidRequest as error:
            return self._fault(read_id(frame), error)

    async def _begin(self, asked: Generate) -> Ending | None:
        if asked.id in self._open:
            raise DuplicateId
        call_id, wishes = uuid7(), asked.wishes
        origin = adjust_origin(
            self._origin,
            request_id=wishes.request_id or str(call_id),
            idempotency_key=wishes.idempotency_key,
            tags=wishes.tags,
            timeout=wishes.timeout,
            cache=wishes.cache,
        )
        try:
            self._check_room(asked)
            await self._gateway.directory.identify(origin)
        except (Unauthenticated, Forbidden) as error:
            self._tell(render_error(asked.id, error, origin.request_id))
            return ending_of(error)
        except GatewayError as error:
            return self._refuse(asked.id, error)
        self._faults = self._refusals = 0
        call = Call(id=call_id, ask=asked.ask, origin=origin, started=self._gateway.clock.monotonic())
        request = self._open[asked.id] = Request(asked.id, call)
        request.task = asyncio.create_task(self._run(request))
        return None

    def _check_room(self, asked: Generate) -> None:
        if self._restarting:
            raise Restarting
        if len(self._open) >= REQUESTS_AT_MOST:
            raise TooManyRequests(f"At most {REQUESTS_AT_MOST} requests may be open on a socket.")
        if asked.ask.stream and not self._streams:
            raise StreamingDisabled

    def _cancel(self, name: str) -> Ending | None:
        request = self._open.get(name)
        if request is None:
            return self._refuse(name, UnknownRequest())
        if request.task is not None and not request.cancelled and not request.answered:
            request.cancelled = True
            request.task.cancel()
        return None

    def _fault(self, name: str | None, error: GatewayError) -> Ending | None:
        self._faults += 1
        self._tell(render_error(name, error))
        return FAULTY if self._faults >= FAULTS_AT_MOST else None

    def _refuse(self, name: str, error: GatewayError) -> Ending | None:
        self._refusals += 1
        self._tell(render_error(name, error))
        return INSISTING if self._refusals >= REFUSALS_AT_MOST else None

    def _tell(self, frame: bytes) -> None:
        notice = asyncio.create_task(self._line.say(frame))
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)

    async def _run(self, request: Request) -> None:
        """One request, from its call to its last frame."""
        try:
            frame = await self._answer(request)
            request.answered = True
            await self._line.say(frame)
        finally:
            del self._open[request.name]
            self._quiet_since = asyncio.get_running_loop().time()

    async def _answer(self, request: Request) -> bytes:
        name, request_id = request.name, request.call.origin.request_id
        try:
            return await self._generate(request)
        except asyncio.CancelledError:
            if self._over or not request.cancelled:
                raise
            return render_cancelled(name)
        except GatewayError as error:
            return render_error(name, error, request_id)
        except Exception as error:  # noqa: BLE001 - the caller is told, whatever went wrong
            log_failure(error, request_id)
            return render_error(name, GatewayError(), request_id)

    async def _generate(self, request: Request) -> bytes:
        """The call; its last frame is the caller's once the journal has its entry."""
        name, call = request.name, request.call
        if not call.ask.stream:
            outcome = await self._gateway.run(call)
            return render_reply(name, outcome, call.origin.request_id)
        telling = Telling(name)
        relay = _Relay(telling, self._line)
        outcome = await self._gateway.run(call, relay)
        await relay.send(Event(outcome.reply.body))
        return telling.finish(outcome, call.origin.request_id)
