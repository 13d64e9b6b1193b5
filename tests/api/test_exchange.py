"""One request and its answer: bodies in pieces, callers who leave, and applications that fail."""

import asyncio
import gc
import logging
import weakref

import pytest

from api.answer import Answer
from api.asgi import WHOLE_ANSWER, Message, Receive, Scope, Send
from tests.support.asgi_server import WITHIN, answer_of, serving

GET = b"GET /a HTTP/1.1\r\nhost: here\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nhost: here\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body, and with how many pieces it came in."""
    pieces = []
    message = await receive()
    while message["type"] == "http.request":
        pieces.append(message["body"])
        if not message["more_body"]:
            break
        message = await receive()
    write_whole = scope["extensions"][WHOLE_ANSWER]
    await Answer(send, str(len(pieces)), write_whole).json(200, b"".join(pieces))


async def test_a_body_arrives_whole_however_it_is_sent() -> None:
    body = bytes(range(256)) * 4_000
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 999]), body[at : at + 999]) for at in range(0, len(body), 999)
    )
    async with serving(echo) as server:
        long = await server.told(POST + b"content-length: %d\r\n\r\n" % len(body) + body)
        chunked = await server.told(POST + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        small = await server.told(POST + b"content-length: 3\r\n\r\nabc")
    assert long.partition(b"\r\n\r\n")[2] == chunked.partition(b"\r\n\r\n")[2] == body
    assert small.endswith(b"\r\n\r\nabc")
    assert b"x-request-id: 1\r\n" in small


async def test_a_body_that_nobody_receives_is_not_read() -> None:
    let_go = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await let_go.wait()
        await echo(scope, receive, send)

    size = 64 << 20
    async with serving(late) as server:
        reader, writer = await server.open()
        writer.write(POST + b"content-length: %d\r\n\r\n" % size + bytes(size))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await writer.drain()
        let_go.set()
        assert (await answer_of(reader)).endswith(bytes(size))
        writer.close()


async def test_a_caller_who_waits_is_told_to_go_on_once_somebody_listens() -> None:
    async with serving(echo) as server:
        reader, writer = await server.open()
        writer.write(POST + b"expect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        async with asyncio.timeout(WITHIN):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await answer_of(reader)).endswith(b"abc")
        writer.close()


async def test_who_leaves_is_told_of_to_all_who_listen_and_the_call_goes_on() -> None:
    listening, ended = asyncio.Event(), asyncio.Event()
    told: list[Message] = []

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        listening.set()
        told.extend(await asyncio.gather(receive(), receive()))
        told.append(await receive())
        await Answer(send, "asked-1", scope["extensions"][WHOLE_ANSWER]).json(200, b"{}")
        ended.set()

    async with serving(listen) as server, asyncio.timeout(WITHIN):
        _, writer = await server.open()
        writer.write(GET)
        await listening.wait()
        assert len(server.server.server_state.tasks) == 1
        writer.close()
        await ended.wait()
        assert [message["type"] for message in told] == 3 * ["http.disconnect"]
        assert not server.server.server_state.tasks


async def test_an_application_that_fails_is_said_to_have_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        if scope["path"] != "/silent":
            raise ValueError

    async with serving(fail) as ours, serving(fail, "httptools") as plain:
        with caplog.at_level(logging.CRITICAL, logger="uvicorn.error"):
            for path in (b"/early", b"/late", b"/silent"):
                asked = GET.replace(b"/a", path)
                told, expected = [await server.told(asked) for server in (ours, plain)]
                assert told.splitlines()[0] == expected.splitlines()[0]
                assert told.partition(b"\r\n\r\n")[2] == expected.partition(b"\r\n\r\n")[2]


async def test_a_call_leaves_nothing_behind_for_the_collector() -> None:
    seen = []

    async def see(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(weakref.ref(send.__self__))  # type: ignore[attr-defined]
        await echo(scope, receive, send)

    async with serving(see) as server:
        reader, writer = await server.open()
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                writer.write(GET)
                await answer_of(reader)
            assert [exchange() for exchange in seen[:2]] == [None, None]
        finally:
            gc.enable()
        writer.close()
