"""A connection lives as with uvicorn, and answers written whole are those that two messages make."""

import asyncio
import re
import time

import pytest

from api.answer import Answer
from api.asgi import WHOLE_ANSWER, Receive, Scope, Send
from gateway.call import Outcome, Rate, Reply, Served
from tests.support.asgi_server import WITHIN, answer_of, serving

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


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_both_ways_tell_the_same(asked: bytes) -> None:
    async with serving(answer_all) as whole, serving(answer_all, "httptools") as plain:
        answers = [
            re.sub(rb"date: [^\r]+", b"date: then", await server.told(asked)) for server in (whole, plain)
        ]
    assert answers[0] == answers[1]
    assert answers[0].count(b"HTTP/1.1 200 OK") == asked.count(b"/a") + asked.count(b"/b")


async def test_nobody_slips_a_header_in() -> None:
    async with serving(answer_all) as server:
        head = (await server.told(GET)).partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"x-gateway-model: splitevil: 1" in head
    assert b"x-given: ab" in head
    assert b"x-ratelimit-reset-requests: 1.500s" in head
    assert b"x-gateway-cost-usd: 0.000000012" in head


async def tell_scope(scope: Scope, receive: Receive, send: Send) -> None:
    told = {name: value for name, value in scope.items() if name not in ("extensions", "client", "server")}
    await Answer(send, "asked-1").json(200, repr(sorted(told.items())).encode())


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /a%20b?c=%20d&e HTTP/1.1\r\nHOST: here\r\nX-Two: 1\r\nx-two: 2\r\n\r\n",
        b"GET http://there/a HTTP/1.1\r\nhost: here\r\n\r\n",
        b"DELETE /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        b"GET /%s HTTP/1.1\r\nhost: here\r\n\r\n" % (b"long" * 1_000),
        b"GET /\xff HTTP/1.1\r\nhost: here\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nhost: here\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["escapes and a query", "whole address", "HTTP/1.0", "long", "not ASCII", "no path", "no HTTP"],
)
async def test_an_application_is_told_what_uvicorn_tells(asked: bytes) -> None:
    async with serving(tell_scope) as ours, serving(tell_scope, "httptools") as plain:
        told, expected = [
            re.sub(rb"date: [^\r]+", b"date: then", await server.told(asked)) for server in (ours, plain)
        ]
    assert told == expected


class Held:
    """Answers with the path; `/held` only once it is let go."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.let_go = asyncio.Event()
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert not self.under_way
        self.under_way += 1
        if scope["path"] == "/held":
            self.came.set()
            await self.let_go.wait()
        self.under_way -= 1
        await Answer(send, "asked-1", scope["extensions"][WHOLE_ANSWER]).json(200, scope["path"].encode())


async def test_a_connection_is_closed_once_it_was_idle_for_its_time_and_not_before() -> None:
    app, idle_seconds = Held(), 1
    async with serving(app, timeout_keep_alive=idle_seconds) as server:
        reader, writer = await server.open()
        writer.write(GET)
        assert (await answer_of(reader)).endswith(b"/a")
        writer.write(GET.replace(b"/a", b"/held"))
        with pytest.raises(TimeoutError):  # a call that lasts longer is not idle
            async with asyncio.timeout(1.5 * idle_seconds):
                await reader.read(1)
        app.let_go.set()
        assert (await answer_of(reader)).endswith(b"/held")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6 * idle_seconds):
                await reader.read(1)
        writer.write(GET)  # the time begins anew
        assert (await answer_of(reader)).endswith(b"/a")
        began = time.monotonic()
        async with asyncio.timeout(WITHIN):
            assert await reader.read() == b""
        assert time.monotonic() - began > 0.9 * idle_seconds
        writer.close()


async def test_what_is_asked_before_the_last_answer_waits_for_it() -> None:
    app = Held()
    async with serving(app) as server:
        reader, writer = await server.open()
        writer.write(GET.replace(b"/a", b"/held") + GET + GET.replace(b"/a", b"/b"))
        async with asyncio.timeout(WITHIN):
            await app.came.wait()
        app.let_go.set()
        answers = [await answer_of(reader) for _ in range(3)]
        writer.close()
    assert [answer.rpartition(b"\r\n")[2] for answer in answers] == [b"/held", b"/a", b"/b"]


async def test_a_server_that_ends_closes_what_is_idle_and_finishes_what_is_under_way() -> None:
    app = Held()
    async with serving(app) as server:
        idle, idle_writer = await server.open()
        idle_writer.write(GET)
        await answer_of(idle)
        busy, busy_writer = await server.open()
        busy_writer.write(GET.replace(b"/a", b"/held"))
        async with asyncio.timeout(WITHIN):
            await app.came.wait()
            server.server.should_exit = True
            assert await idle.read() == b""
            app.let_go.set()
            answer = await busy.read()
        assert answer.endswith(b"/held")
        assert b"\r\nconnection: close\r\n" in answer
        idle_writer.close()
        busy_writer.close()
