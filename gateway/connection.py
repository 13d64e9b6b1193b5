"""One HTTP/1.1 connection to a provider, on the parser that the server uses too."""

import asyncio
from collections import deque

import httptools

from gateway import errors

LARGEST_HEAD = 65_536
_BUFFERED_AT_MOST = 262_144


class Connection(asyncio.Protocol):
    """Sends a request, takes its answer, and is then good for the next.

    Awaiting the head or more of the body raises our errors: what breaks after the request went out
    is a cut, and its outcome unknown.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.rests_until = 0.0
        self.reusable = False
        """The answer came to its end, and the provider keeps the connection."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._head_size = 0
        self._body: deque[bytes] = deque()
        self._buffered = 0
        self._head_seen = False
        self._complete = True
        """No answer is due: whatever a provider says now is not for the next caller."""
        self._deaf = False
        self._failure: errors.ProviderError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def send(self, request: bytes) -> None:
        """Begin an exchange."""
        self.headers = {}
        self.reusable = self._head_seen = self._complete = False
        self._head_size = self._buffered = 0
        self._body.clear()
        if self._transport is None:
            self._failure = self._failure or errors.ProviderCut()
        else:
            self._transport.write(request)

    async def head(self) -> None:
        """Wait for status and headers."""
        while not self._head_seen:
            await self._wait()

    async def more(self) -> bytes:
        """The next piece of the body; empty at its end."""
        while not self._body:
            if self._complete:
                return b""
            await self._wait()
        piece = self._body.popleft() if len(self._body) == 1 else self._take_all()
        if self._buffered > _BUFFERED_AT_MOST and self._transport is not None:
            self._transport.resume_reading()
        self._buffered = 0
        return piece

    def close(self) -> None:
        """Hang up, so that the provider notices."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @property
    def is_open(self) -> bool:
        """Whether the provider has not hung up."""
        return self._transport is not None and self._failure is None

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take_all(self) -> bytes:
        piece = b"".join(self._body)
        self._body.clear()
        return piece

    def _fail(self, failure: errors.ProviderError) -> None:
        if self._failure is None:
            self._failure = failure
        self.close()
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport  # type: ignore[assignment]  # create_connection gives no other kind

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        if self._complete:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(errors.ProviderMalformed())
        if self._deaf:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """The provider hung up: the end of an answer that says no length, else a cut."""
        self._transport = None
        if self._head_seen and not self._complete and error is None and not self._has_length():
            self._complete = True
        elif self._failure is None:
            self._failure = errors.ProviderCut()
        self._wake()

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for is not listened to."""
        self._deaf = self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; repeated ones are joined, as HTTP allows."""
        if self._deaf or self._head_seen:  # a trailer says nothing that was not better said before
            return
        self._head_size += len(name) + len(value)
        if self._head_size > LARGEST_HEAD:
            self._fail(errors.ProviderMalformed())
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """The head is whole; interim answers (1xx) are passed over."""
        if self._deaf:
            return
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._head_seen = True
            self._wake()

    def on_body(self, body: bytes) -> None:
        """A piece of the body; a slow reader stops the provider instead of filling memory."""
        if self._deaf:
            return
        self._body.append(body)
        self._buffered += len(body)
        if self._buffered > _BUFFERED_AT_MOST and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._deaf:
            return
        if self.status < 200:
            self.headers = {}
            return
        self._complete = True
        self.reusable = self._parser.should_keep_alive()
        self._wake()

    def _has_length(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers
