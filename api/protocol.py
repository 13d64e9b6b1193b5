"""The server's protocol: uvicorn's own, made cheaper for many small calls on connections that stay.

- an answer that is complete is written at once (`api/exchange.py`): ASGI sends a head and a body as two
  messages, and the server looks at each header anew. That is offered to the application as an extension of
  ASGI; an application, or a server, that does not know it goes the usual way
- a connection has one timer that looks whether it was idle for too long, not one for each of its requests
- what all requests of a connection have in common is made once

uvicorn's options that `serve` does not set have no effect here: a bound of concurrency, a log of accesses,
fresh context variables.
"""

import asyncio
import urllib.parse
from functools import lru_cache
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.asgi import WHOLE_ANSWER
from api.exchange import Exchange

_SHORT = 256
"""Addresses up to this length are remembered once they are read."""


class Protocol(HttpToolsProtocol):
    """One connection of HTTP/1.1."""

    cycle: Exchange | None  # type: ignore[assignment]
    _idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make what all requests of the connection have in common."""
        super().connection_made(transport)
        self._common: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
        }

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer too."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def on_message_begin(self) -> None:
        """Make room for a request."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Start the application, in turn."""
        parser, version = self.parser, self.parser.get_http_version()
        scope = self._common.copy()
        scope["method"] = parser.get_method().decode("ascii")
        scope["headers"] = self.headers
        scope["state"] = self.app_state.copy()
        if version != "1.1":
            scope["http_version"] = version
        self.scope: Any = scope
        if parser.should_upgrade() and self._should_upgrade():
            return
        path, raw_path, query = (_remembered if len(self.url) <= _SHORT else _read_url)(self.url)
        scope["path"] = self.root_path + path
        scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        scope["query_string"] = query
        keep_alive = version != "1.0" and parser.should_keep_alive()
        before, self.cycle = self.cycle, Exchange(self, scope=scope, keep_alive=keep_alive)
        scope["extensions"] = {WHOLE_ANSWER: self.cycle.write_whole}
        if before is None or before.response_complete:
            self.cycle.start(self.app, self.loop)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A piece of the body: no more is read than somebody receives."""
        cycle = self._listening()
        if cycle is not None and cycle.add(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """The request is complete."""
        cycle = self._listening()
        if cycle is not None:
            cycle.end()

    def _listening(self) -> Exchange | None:
        """Whose request it is that goes on, if its answer is not complete yet."""
        if self.cycle is None or self.cycle.response_complete:
            return None
        return None if self.parser.should_upgrade() and self._should_upgrade() else self.cycle

    def on_response_complete(self) -> None:
        """Start the next request that waits, or be idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            cycle.start(app, self.loop)  # type: ignore[attr-defined]
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """Something came: the timer stays, and finds out."""
        self._idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Close what was idle for too long."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_again(left)
        else:
            super().timeout_keep_alive_handler()

    def _look_again(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


def _read_url(url: bytes) -> tuple[str, bytes, bytes]:
    """The path, as it is meant and as it stands, and the query."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return urllib.parse.unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


_remembered = lru_cache(maxsize=256)(_read_url)
