"""A provider on a loopback port that speaks OpenAI's format, does as it is told, and keeps its own bill.

It runs on a loop in a thread of its own, so that tests may block or not as they like. What it does is
told by the name of the model, which tests make up: see `tests/support/provider_scripts.py`.
"""

import asyncio
import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, cast

import msgspec

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL_ASKED = re.compile(r"/models/([^/:]+):")
_PATIENCE_SECONDS = 10.0
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What the provider would charge for: calls whose answer went out to its end."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class Gate:
    """Lets as many through as it was opened for; opened from any thread, passed on the provider's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._places = asyncio.Semaphore(0)

    def open(self, places: int = 1) -> None:
        """Let so many more through."""
        for _ in range(places):
            self._loop.call_soon_threadsafe(self._places.release)

    async def passed(self) -> None:
        """Wait to be let through."""
        await self._places.acquire()


@dataclass(kw_only=True)
class Heard:
    """A request as it arrived, and what became of it."""

    path: str
    headers: dict[str, str]
    body: bytes
    reused: bool = False
    """The connection had carried another request before."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    completed: bool = False
    """The whole answer went out."""
    left: bool = False
    """The gateway closed the connection before the answer was whole."""
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    """The gateway takes what is sent, as far as the system's buffers tell."""
    sent: int = 0
    """Bytes, where the script counts them."""

    def member(self, name: str) -> Any:
        """One member of the body, or field of the form, read; however deep the others are."""
        if self.headers.get("content-type", "").startswith("multipart/"):
            found = re.search(rb'name="%b"\r\n\r\n(.*?)\r\n' % name.encode(), self.body)
            return found[1].decode() if found else None
        try:
            return msgspec.json.decode(_members.decode(self.body).get(name, b"null"))
        except RecursionError:
            found = re.search(rb'"%b": *("[^"]*"|true|false)' % name.encode(), self.body)
            return msgspec.json.decode(found[1]) if found else None

    @property
    def model(self) -> Any:
        """What scripts go by; Google's format has it in the address."""
        in_address = _MODEL_ASKED.search(self.path)
        return in_address[1] if in_address else self.member("model")

    @property
    def asked(self) -> dict[str, Any]:
        """The whole body, read."""
        return cast(dict[str, Any], json.loads(self.body))


class Turn:
    """One request's turn: where its script writes the answer."""

    def __init__(self, stub: "ProviderStub", heard: Heard, transport: asyncio.WriteTransport) -> None:
        self.heard = heard
        self.gate = stub.gate(heard.model)
        self._stub = stub
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._transport.write(data)

    def complete(self, last: bytes, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """Send the last bytes of the answer: from here on the call is billed."""
        self._transport.write(last)
        self.heard.prompt_tokens = prompt_tokens
        self.heard.completion_tokens = completion_tokens
        self.heard.completed = True
        self._stub.notify()

    async def room(self) -> None:
        """Wait until the gateway takes more."""
        await self.heard.flows.wait()

    def cut(self) -> None:
        """Close the connection once what was written is out."""
        self._transport.close()

    def reset(self) -> None:
        """Break the connection off."""
        self._transport.abort()


Script = Callable[[Turn], Awaitable[None]]


class ProviderStub:
    """The provider. Used as `with`."""

    def __init__(self, default: Script) -> None:
        self.port = 0
        self._default = default
        self._scripts: dict[str, deque[Script]] = {}
        self._heard: defaultdict[str, list[Heard]] = defaultdict(list)
        self._gates: dict[str, Gate] = {}
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)
        self._listening: Future[int] = Future()
        self._server: asyncio.Server | None = None
        self.lines: set[asyncio.WriteTransport] = set()

    def __enter__(self) -> "ProviderStub":
        self._thread.start()
        self.port = self._listening.result(_PATIENCE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_PATIENCE_SECONDS)

    def url(self, prefix: str = "", host: str = "127.0.0.1") -> str:
        """The address of its API; a prefix tells providers apart, a host has connections of its own."""
        return f"http://{host}:{self.port}{prefix}/v1"

    def go_away(self) -> None:
        """Listen no more, and break off whatever is under way."""
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result(_PATIENCE_SECONDS)

    def come_back(self) -> None:
        """Listen at the same port again."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_PATIENCE_SECONDS)

    def script(self, model: str, *scripts: Script) -> None:
        """What the calls of a model meet, one script each; the last one stays."""
        self._scripts[model] = deque(scripts)

    def gate(self, model: str) -> Gate:
        """What gated scripts of a model wait at."""
        return self._gates.setdefault(model, Gate(self._loop))

    def heard(self, model: str) -> list[Heard]:
        """The requests for a model so far, in the order in which they came."""
        with self._changed:
            return list(self._heard[model])

    def heard_in_all(self) -> int:
        """How many requests came, for whatever model."""
        with self._changed:
            return sum(map(len, self._heard.values()))

    def bill(self, model: str) -> Bill:
        """What the calls of a model come to."""
        completed = [heard for heard in self.heard(model) if heard.completed]
        return Bill(
            calls=len(completed),
            prompt_tokens=sum(heard.prompt_tokens for heard in completed),
            completion_tokens=sum(heard.completion_tokens for heard in completed),
        )

    def wait_for(self, condition: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> bool:
        """Wait until something is so, looking whenever something happens here; whether it came to be."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def notify(self) -> None:
        """Something happened."""
        with self._changed:
            self._changed.notify_all()

    def take(self, heard: Heard, transport: asyncio.WriteTransport) -> "asyncio.Task[None]":
        """Note a request and begin its answer."""
        model = heard.model
        with self._changed:
            self._heard[model].append(heard)
        scripts = self._scripts.get(model, deque([self._default]))
        script = scripts.popleft() if len(scripts) > 1 else scripts[0]
        self.notify()
        return self._loop.create_task(_play(script, Turn(self, heard, transport)))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._listening.set_result(await self._listen())
        await self._stopping.wait()
        await self._leave()

    async def _listen(self) -> int:
        server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self._server = server
        return int(server.sockets[0].getsockname()[1])

    async def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
        for line in tuple(self.lines):
            line.abort()


async def _play(script: Script, turn: Turn) -> None:
    await script(turn)


class _Connection(asyncio.Protocol):
    """One connection; its requests are answered one after the other."""

    def __init__(self, stub: ProviderStub) -> None:
        self._stub = stub
        self._pending = b""
        self._transport: asyncio.WriteTransport | None = None
        self._heard: Heard | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._stub.lines.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._stub.lines.discard(self._transport)
        if self._task is not None:
            self._task.cancel()
        if self._heard is not None and not self._heard.completed:
            self._heard.left = True
        self._stub.notify()

    def pause_writing(self) -> None:
        if self._heard is not None:
            self._heard.flows.clear()

    def resume_writing(self) -> None:
        if self._heard is not None:
            self._heard.flows.set()

    def data_received(self, data: bytes) -> None:
        self._pending += data
        head, separator, rest = self._pending.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if separator and len(rest) >= size and self._transport is not None:
            self._pending = rest[size:]
            self._heard = _heard(head.decode("latin-1"), rest[:size], reused=self._heard is not None)
            self._heard.flows.set()
            self._task = self._stub.take(self._heard, self._transport)


def _heard(head: str, body: bytes, *, reused: bool) -> Heard:
    first, *lines = head.split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
    }
    return Heard(path=first.split(" ")[1], headers=headers, body=body, reused=reused)
