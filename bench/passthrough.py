"""The bare pass-through that the gateway is measured against: ASGI in, one shared aiohttp session out.

No key, limit, price or ledger, but written with care: this is what any gateway on this stack pays at least.

    python -m bench.passthrough --port 9001 --upstream http://127.0.0.1:9000
"""

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SENT_ON = (b"content-type", b"authorization")
SENT_BACK = ("content-type", "content-length")


class PassThrough:
    """Posts every request's body to the upstream's same path, and relays what comes back."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ready"})
        else:
            await self.relay(scope, receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=0)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=jar, auto_decompress=False
        ) as session:
            self.session = session
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def relay(self, scope: Message, receive: Receive, send: Send) -> None:
        assert self.session is not None
        body = await read(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name in SENT_ON}
        async with self.session.post(self.upstream + scope["path"], data=body, headers=headers) as reply:
            back = [
                (name.encode(), reply.headers[name].encode()) for name in SENT_BACK if name in reply.headers
            ]
            await send({"type": "http.response.start", "status": reply.status, "headers": back})
            if reply.content_type != "text/event-stream":
                await send({"type": "http.response.body", "body": await reply.read()})
                return
            async for chunk in reply.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare ASGI pass-through.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="origin that every path is posted to")
    asked = parser.parse_args()
    app = PassThrough(asked.upstream.rstrip("/"))
    quiet = {"access_log": False, "log_level": "warning", "server_header": False}
    uvicorn.run(app, host=asked.host, port=asked.port, loop="uvloop", http="httptools", **quiet)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
