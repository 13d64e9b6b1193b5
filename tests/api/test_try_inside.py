"""The way from Django's threads to the lane: what it gives back, and what the lane hears of who leaves."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from api.asgi import Receive, Scope, Send
from api.doors import dialect_of
from api.trying.forms import without_field
from api.trying.inside import INSIDE, Errand, Inside
from gateway.forms import add_field
from tests import factories

CHAT = "/api/try/v1/chat/completions"
SCOPE: Scope = {"type": "http", "path": "/", "headers": []}
MEDIA = "multipart/form-data; boundary=end"
BODY = b'--end\r\nContent-Disposition: form-data; name="model"\r\n\r\necho\r\n--end--\r\n'


def start(status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [(b"x-one", b"1")]}


def piece(data: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def echoing(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what it was told, in two pieces."""
    body = (await receive())["body"]
    await send(start(201))
    await send(piece(body, more=True))
    await send(piece(b"!", more=False))


async def test_an_answer_is_its_head_and_its_whole_body() -> None:
    errand = Errand(echoing, SCOPE, b"hello")
    head = await errand.begin()
    assert (head.status, head.headers) == (201, {"x-one": "1"})
    assert await errand.whole(100) == (b"hello!", True)


async def test_no_more_is_kept_than_was_asked_for_and_the_lane_ends_all_the_same() -> None:
    errand = Errand(echoing, SCOPE, b"hello")
    await errand.begin()
    assert await errand.whole(5) == (b"hello", False)


async def test_who_stops_listening_has_left_for_the_lane() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start())
        await send(piece(b"a", more=True))
        heard.put_nowait((await receive())["type"])

    errand = Errand(endless, SCOPE, b"")
    await errand.begin()
    pieces = errand.pieces()
    assert await anext(pieces) == b"a"
    await pieces.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        assert await heard.get() == "http.disconnect"


async def test_a_lane_that_breaks_leaves_nobody_waiting() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("nothing")

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"a", more=True))

    with pytest.raises(KeyError):
        await Errand(broken, SCOPE, b"").begin()
    errand = Errand(cut, SCOPE, b"")
    await errand.begin()
    async with asyncio.timeout(5):
        assert await errand.whole(10) == (b"a", True)


async def test_other_threads_wait_for_the_lanes_loop() -> None:
    inside = Inside(echoing, asyncio.get_running_loop())
    errand = Errand(echoing, SCOPE, b"hello")
    head = await asyncio.to_thread(inside.wait_for, errand.begin())
    assert head.status == 201


@pytest.mark.django_db(transaction=True)
async def test_the_lane_gets_a_pass_and_nothing_that_was_meant_for_the_view(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[dict[bytes, bytes], bytes]] = []

    async def recording(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append((dict(scope["headers"]), (await receive())["body"]))
        await send(start(201))
        await send(piece(b"heard", more=False))

    await sync_to_async(factories.make_tenant)()
    alice = await sync_to_async(factories.make_user)(is_staff=True, is_superuser=True)
    client, inside = AsyncClient(), Inside(recording, asyncio.get_running_loop())
    handler = client.handler
    monkeypatch.setattr(client, "handler", lambda scope: handler({**scope, INSIDE: inside}))
    await client.aforce_login(alice)
    answer = await client.post(
        "/api/try/v1/audio/transcriptions",
        add_field(BODY, MEDIA, "csrfmiddlewaretoken", b"token"),
        content_type=MEDIA,
        headers={
            "authorization": "Bearer key",
            "x-api-key": "key",
            "x-csrftoken": "token",
            "x-tenant-id": "acme",
            "x-gateway-tags": "team=search",
        },
    )
    assert answer.status_code == 201
    ((headers, body),) = asked
    assert body == BODY
    assert headers.pop(b"authorization").startswith(b"Bearer pass:")
    assert headers.pop(b"content-length") == b"%d" % len(BODY)
    assert headers == {
        b"host": b"testserver",
        b"content-type": MEDIA.encode(),
        b"x-gateway-tags": b"team=search",
    }


@pytest.mark.parametrize(
    "path", [CHAT, "/api/try/", "/api/schema/", "/api/docs/", "/api/v1/manage", "/api/v1/manage/keys"]
)
def test_the_lane_leaves_these_to_django(path: str) -> None:
    assert dialect_of(path) is None


@pytest.mark.django_db
def test_without_the_gateway_in_the_process_it_says_so() -> None:
    tenant, alice = factories.make_tenant(), factories.make_user(is_staff=True, is_superuser=True)
    client = Client(headers={"x-request-id": "mine"})
    client.force_login(alice)
    answer = client.post(CHAT, b"{}", content_type="application/json")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "gateway_not_running"
    assert (answer["X-Request-ID"], answer["Retry-After"]) == ("mine", "1")
    assert client.get(CHAT).json()["tenants"] == [tenant.name]


@pytest.mark.django_db
def test_who_may_not_sign_in_to_the_admin_tries_nothing() -> None:
    charlie = factories.make_user("charlie")
    factories.make_member(factories.make_tenant(), charlie)
    client = Client()
    client.force_login(charlie)
    assert client.get(CHAT).status_code == 403


@pytest.mark.django_db
def test_a_body_beyond_the_limit_is_refused_as_the_lane_does(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    client = Client()
    client.force_login(factories.make_user(is_staff=True, is_superuser=True))
    answer = client.post(CHAT, json.dumps({"a": "b" * 20}), content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.django_db
def test_the_list_is_a_page_for_browsers() -> None:
    client = Client(headers={"accept": "text/html"})
    assert client.get("/api/try/")["Location"] == "/admin/login/?next=/api/try/"
    client.force_login(factories.make_user(is_staff=True, is_superuser=True))
    answer = client.get("/api/try/")
    assert answer.status_code == 200
    assert CHAT in answer.content.decode()


def test_a_field_is_taken_out_of_a_form_wherever_it_stands() -> None:
    assert without_field(add_field(BODY, MEDIA, "token", b"secret"), MEDIA, "token") == BODY
    last = BODY.replace(
        b"--end--", b'--end\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--end--'
    )
    assert without_field(last, MEDIA, "token") == BODY
    assert without_field(b"token", "application/json", "token") == b"token"
