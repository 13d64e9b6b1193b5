"""Answers that are written whole are the very answers that two messages make."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from api.answer import Answer
from api.asgi import WHOLE_ANSWER, Receive, Scope, Send
from api.protocol import Protocol
from gateway.call import Outcome, Rate, Reply, Served

GET = b"GET /a HTTP/1.1\r\nhost: here\r\n\r\n"
ASKED = {
    "one": GET,
    "two on a connection": GET + GET.replace(b"/a", b"/b"),
    "the last on its connection": GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
    "HTTP/1.0": GET.replace(b"1.1", b"1.0"),
    "HEAD": GET.replace(b"GET", b"HEAD"),
}
RATES = (Rate(unit="requests", limit=10, remaining=3, reset_ms=1_500),)


async def answer_all(scope: Scope, receive: Receive, send: Send) -> None:
    answer = Answer(send, "asked-1", scope.get("extensions", {}).get(WHOLE_ANSWER))
    served = Served(provider="stub", deployment="stub/x", model="split\r\nevil: 1", rates=RATES)
    reply = Reply(status=200, content_type="text/plain", body=b"", headers={"x-given": "a\nb"})
    await answer.reply(
        Outcome(reply=reply, served=served, charge_nano=12, overhead_us=345), scope["path"].encode()
    )


@asynccontextmanager
async def serving(protocol: type[Protocol] | str) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            answer_all, http=protocol, lifespan="off", log_config=None, server_header=False
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listening]))
        yield int(listening.getsockname()[1])
        server.should_exit = True
        await task


async def told(port: int, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return re.sub(rb"date: [^\r]+", b"date: then", await reader.read())
    finally:
        writer.close()


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_both_ways_tell_the_same(asked: bytes) -> None:
    async with serving(Protocol) as whole, serving("httptools") as plain:
        answers = [await told(port, asked) for port in (whole, plain)]
    assert answers[0] == answers[1]
    assert answers[0].count(b"HTTP/1.1 200 OK") == asked.count(b"/a") + asked.count(b"/b")


async def test_nobody_slips_a_header_in() -> None:
    async with serving(Protocol) as port:
        head = (await told(port, GET)).partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"x-gateway-model: splitevil: 1" in head
    assert b"x-given: ab" in head
    assert b"x-ratelimit-reset-requests: 1.500s" in head
    assert b"x-gateway-cost-usd: 0.000000012" in head
