"""Each of OpenAI's doors beside chats and embeddings, by its own clients: answered, and booked once."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.openai_clients import async_client_of, client_of
from tests.support.provider_kinds import SOUND, completion_events, events_then
from tests.support.provider_scripts import COMPLETION_TOKENS, PIECES, PROMPT_TOKENS, fails, replies
from tests.support.provider_stub import ProviderStub
from tests.support.refusals import refused

TOKENS = {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}
SAID = "".join(PIECES)
PICTURE_NANO = 40_000_000
SECOND_NANO = 100_000


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("doors")


@pytest.fixture
def client(caller: Caller) -> Iterator[openai.OpenAI]:
    with client_of(caller) as client:
        yield client


def named(request: str) -> dict[str, str]:
    return {"X-Request-ID": request}


DOORS: dict[str, tuple[str, dict[str, Any], str, dict[str, int]]] = {
    "completions": ("/v1/completions", {"prompt": "say it"}, "chat", TOKENS),
    "responses": ("/v1/responses", {"input": "say it"}, "chat", TOKENS),
    "moderations": ("/v1/moderations", {"input": "hello"}, "moderation", {"input": 1}),
    "images": ("/v1/images/generations", {"prompt": "a cat", "n": 2}, "image", {"image": 2}),
    "speech": ("/v1/audio/speech", {"input": "hello", "voice": "alloy"}, "speech", {"audio_second": 7}),
    "rerank": (
        "/v1/rerank",
        {"query": "cats", "documents": ["dogs", "cats"]},
        "rerank",
        {"input": PROMPT_TOKENS},
    ),
}
each_door = pytest.mark.parametrize(("path", "members", "kind", "meters"), DOORS.values(), ids=DOORS)


@each_door
def test_a_call_is_answered_and_booked_once_with_its_meters(
    caller: Caller, path: str, members: dict[str, Any], kind: str, meters: dict[str, int]
) -> None:
    request = fresh("door")
    answer = caller.post(json.dumps({"model": "stub/door", **members}).encode(), request, path)
    assert answer.status == 200, answer
    row = caller.entry(request)
    assert (row.kind, row.status, row.dialect) == (kind, "settled", "openai")
    assert row.meters == meters
    assert row.charge_nano > 0
    assert caller.gateway.open_holds() == 0


@each_door
def test_a_body_arrives_byte_for_byte_but_for_its_model(
    caller: Caller,
    provider: ProviderStub,
    path: str,
    members: dict[str, Any],
    kind: str,
    meters: dict[str, int],
) -> None:
    name = fresh("bytes")
    rest = json.dumps(members)[1:-1].encode() + rb', "unheard_of":{"deep":[1.0, 1E+2,"\u00e9\/"]}'
    host = b"native" if path == "/v1/responses" else b"stub"
    body = b'{"model":"%b/%b",%b}' % (host, name.encode(), rest)
    assert caller.post(body, path=path).status == 200
    heard = provider.heard(name)[0]
    assert heard.path == path
    assert rb'"unheard_of":{"deep":[1.0, 1E+2,"\u00e9\/"]}' in heard.body
    assert heard.asked == {**json.loads(b"{%b}" % rest), "model": name}
    assert list(heard.asked) == ["model", *json.loads(b"{%b}" % rest)]


@each_door
def test_a_providers_error_is_told_and_booked_once(
    caller: Caller,
    provider: ProviderStub,
    path: str,
    members: dict[str, Any],
    kind: str,
    meters: dict[str, int],
) -> None:
    name, request = fresh("wrong"), fresh("wrong")
    provider.script(name, fails(400, message="not like that"))
    answer = caller.post(json.dumps({"model": f"stub/{name}", **members}).encode(), request, path)
    assert refused(answer, 400, "provider_rejected")["message"] == "not like that"
    row = caller.entry(request)
    assert (row.kind, row.status, row.charge_nano) == (kind, "failed", 0)
    assert len(provider.heard(name)) == 1


@each_door
def test_an_answer_that_is_none_is_booked_at_its_bound(
    caller: Caller,
    provider: ProviderStub,
    path: str,
    members: dict[str, Any],
    kind: str,
    meters: dict[str, int],
) -> None:
    name, request = fresh("odd"), fresh("odd")
    provider.script(name, replies(b'{"object":"something else"}'))
    answer = caller.post(json.dumps({"model": f"stub/{name}", **members}).encode(), request, path)
    assert answer.status == 502, answer
    assert caller.entry(request).status == "unsettled"


@each_door
def test_a_tenant_without_money_is_refused(
    calling: Calling,
    provider: ProviderStub,
    path: str,
    members: dict[str, Any],
    kind: str,
    meters: dict[str, int],
) -> None:
    name, poor = fresh("poor"), calling("poor")
    answer = poor.post(json.dumps({"model": f"stub/{name}", **members}).encode(), path=path)
    refused(answer, 429, "budget_exceeded")
    assert provider.heard(name) == []


@each_door
def test_a_stranger_is_refused(
    uncharged: Caller, path: str, members: dict[str, Any], kind: str, meters: dict[str, int]
) -> None:
    body = json.dumps({"model": "stub/door", **members}).encode()
    refused(uncharged.post(body, path=path, Authorization="Bearer wrong"), 401, "invalid_api_key")


@pytest.mark.parametrize(
    ("path", "members", "param"),
    [
        ("/v1/completions", {}, None),
        ("/v1/completions", {"prompt": []}, "prompt"),
        ("/v1/completions", {"prompt": "x", "n": 0}, "n"),
        ("/v1/completions", {"prompt": "x", "best_of": 1000}, "best_of"),
        ("/v1/responses", {}, None),
        ("/v1/responses", {"input": []}, "input"),
        ("/v1/responses", {"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
        ("/v1/responses", {"input": "x", "background": True}, "background"),
        ("/v1/responses", {"input": "x", "conversation": "conv_1"}, "conversation"),
        ("/v1/responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ("/v1/moderations", {"input": 5}, "input"),
        ("/v1/images/generations", {"prompt": ""}, "prompt"),
        ("/v1/images/generations", {"prompt": "x", "n": 100_000}, "n"),
        ("/v1/images/generations", {"prompt": "x", "n": 2, "stream": True}, "n"),
        ("/v1/audio/speech", {"input": ""}, "input"),
        ("/v1/rerank", {"query": "x", "documents": []}, "documents"),
        ("/v1/rerank", {"query": "x", "documents": ["x"], "top_n": 0}, "top_n"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    uncharged: Caller, path: str, members: dict[str, Any], param: str | None
) -> None:
    body = json.dumps({"model": "stub/door", **members}).encode()
    refused(uncharged.post(body, path=path), 400, "invalid_request", param)


def test_completions_of_several_prompts_are_held_for_all_of_them(calling: Calling) -> None:
    """A prompt more is an answer more: 100 tokens each, of which this tenant affords one."""
    scarce = calling("scarce")
    body = {"model": "stub/several", "max_tokens": 100}
    one = scarce.post(json.dumps({**body, "prompt": "a"}).encode(), path="/v1/completions")
    assert one.status == 200
    many = json.dumps({**body, "prompt": ["a"] * 50}).encode()
    refused(scarce.post(many, path="/v1/completions"), 429, "budget_exceeded")


def test_a_completion_is_streamed(client: openai.OpenAI, caller: Caller) -> None:
    request = fresh("stream")
    with client.completions.create(
        model="stub/completion", prompt="say it", stream=True, extra_headers=named(request)
    ) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == SAID
    row = caller.entry(request)
    assert (row.kind, row.meters, bool(row.estimated)) == ("chat", TOKENS, False)


async def test_a_completion_is_streamed_to_the_async_client(caller: Caller) -> None:
    async with async_client_of(caller) as client:
        stream = await client.completions.create(model="echo", prompt="one two three", stream=True)
        assert "".join([chunk.choices[0].text async for chunk in stream]) == "one two three"


def test_a_completion_that_is_cut_is_told_and_booked(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("cut"), fresh("cut")
    provider.script(name, events_then(completion_events(counts=False)[:2], cut=True))
    with (
        client_of(caller) as client,
        client.completions.create(
            model=f"stub/{name}", prompt="say it", stream=True, extra_headers=named(request)
        ) as stream,
        pytest.raises(openai.APIError) as cut,
    ):
        list(stream)
    assert cut.value.code == "provider_cut"
    row = caller.entry(request)
    assert (row.kind, row.status, bool(row.estimated)) == ("chat", "settled", True)


def test_pictures_come_as_they_were_drawn(client: openai.OpenAI, caller: Caller) -> None:
    request = fresh("image")
    drawn = client.images.generate(model="stub/image", prompt="a cat", n=2, extra_headers=named(request))
    assert len(drawn.data or []) == 2
    row = caller.entry(request)
    assert (row.kind, row.meters, row.charge_nano) == ("image", {"image": 2}, 2 * PICTURE_NANO)


def test_a_picture_is_streamed_with_its_tokens(caller: Caller) -> None:
    request = fresh("image")
    body = json.dumps({"model": "stub/image", "prompt": "a cat", "stream": True}).encode()
    answer = caller.post(body, request, "/v1/images/generations")
    assert answer.body.count(b"event: image_generation.") == 2
    row = caller.entry(request)
    assert row.meters == {"input": PROMPT_TOKENS, "image_out": COMPLETION_TOKENS}


def test_speech_comes_as_bytes(client: openai.OpenAI, caller: Caller) -> None:
    request = fresh("speech")
    spoken = client.audio.speech.create(
        model="stub/speech", voice="alloy", input="hello", extra_headers=named(request)
    )
    assert spoken.content == SOUND
    assert spoken.response.headers["content-type"] == "audio/aac"
    row = caller.entry(request)
    assert (row.kind, bool(row.estimated), row.charge_nano) == ("speech", True, 7 * SECOND_NANO)


async def test_speech_is_streamed_as_events(caller: Caller) -> None:
    request = fresh("speech")
    async with (
        async_client_of(caller) as client,
        client.audio.speech.with_streaming_response.create(
            model="stub/speech",
            voice="alloy",
            input="hello",
            stream_format="sse",
            extra_headers=named(request),
        ) as spoken,
    ):
        told = await spoken.read()
    assert b"speech.audio.done" in told
    assert caller.entry(request).meters == {"input": PROMPT_TOKENS, "audio_out": COMPLETION_TOKENS}


def test_a_page_instead_of_speech_is_no_answer(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("page")
    provider.script(name, replies(b"<script>", headers=[("content-type", "text/html")]))
    body = json.dumps({"model": f"stub/{name}", "input": "hello"}).encode()
    refused(caller.post(body, path="/v1/audio/speech"), 502, "provider_malformed")


def test_documents_are_put_in_order(caller: Caller) -> None:
    asked = {"model": "echo-rerank", "query": "the cat", "documents": ["a dog", "the cat", "the dog"]}
    answer = caller.post(json.dumps({**asked, "top_n": 2}).encode(), path="/v1/rerank")
    assert [one["index"] for one in answer.json()["results"]] == [1, 2]


async def test_a_text_is_judged(caller: Caller) -> None:
    async with async_client_of(caller) as client:
        judged = await client.moderations.create(model="stub/moderation", input="hello")
    assert judged.results[0].flagged


def test_the_built_in_provider_answers_all_kinds(client: openai.OpenAI) -> None:
    assert client.completions.create(model="echo", prompt="say it back").choices[0].text == "say it back"
    assert client.responses.create(model="echo", input="say it back").output_text == "say it back"
    assert client.moderations.create(model="echo-moderation", input="violence").results[0].flagged
    drawn = client.images.generate(model="echo-image", prompt="a cat").data or []
    assert (drawn[0].b64_json or "").startswith("iVBORw0KGgo")
    spoken = client.audio.speech.create(model="echo-audio", voice="alloy", input="hello there").content
    assert (spoken[:4], spoken[8:12], len(spoken)) == (b"RIFF", b"WAVE", 44 + 4_000)
    heard = client.audio.transcriptions.create(model="echo-audio", file=("hello.wav", spoken))
    assert heard.text == f"hello.wav: {len(spoken)} bytes"
