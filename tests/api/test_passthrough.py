"""Where caller and provider speak the same format, what nobody edits arrives byte for byte, both ways."""

import json
import re

import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh, hello
from tests.support.gateways import PROVIDER_SECRET
from tests.support.provider_scripts import DONE, chunk, delta, event, replies, streams, streams_events
from tests.support.provider_stub import Heard, ProviderStub
from tests.support.raw_http import Line

ODD_MESSAGES = rb'[ {"role":"user","content":"caf\u00e9 \/ \ud83d\ude00 \"x\"\t","name":"a\u0062c"} ]'
ODD_MEMBERS = (
    b'"temperature":1e2',
    b'"top_p":1.10',
    b'"seed":123456789012345678901234567890',
    rb'"unheard_of":{"deep":[1.0, -0, 1E+2, null, "\u003c\u00e9"], "a": {} }',
    b'"metadata":{ "k" :  "v" }',
    b'"logit_bias":{"50256":-100.00}',
)


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("passing")


def only_heard(provider: ProviderStub, model: str) -> Heard:
    heard = provider.heard(model)
    assert len(heard) == 1
    return heard[0]


def test_request_members_arrive_byte_for_byte_and_only_the_model_is_another(
    caller: Caller, provider: ProviderStub
) -> None:
    name = fresh("odd")
    body = b'{ "model" : "stub/%b",\n "messages":%b,%b}' % (
        name.encode(),
        ODD_MESSAGES,
        b",".join(ODD_MEMBERS),
    )
    assert caller.post(body).status == 200
    heard = only_heard(provider, name)
    assert heard.asked["model"] == name
    for member in (b'"messages":' + ODD_MESSAGES, *ODD_MEMBERS):
        assert member in heard.body
    assert list(heard.asked) == list(json.loads(body))


def test_a_stream_asks_for_usage_beside_the_callers_own_options(
    caller: Caller, provider: ProviderStub
) -> None:
    name = fresh("options")
    own = {"include_usage": False, "odd": 1.50}
    assert caller.chat(f"stub/{name}", members={"stream": True, "stream_options": own}).status == 200
    options = only_heard(provider, name).asked["stream_options"]
    assert options == {"include_usage": True, "odd": 1.5}


def test_response_members_arrive_byte_for_byte_with_the_cache_flag_in_their_usage(
    caller: Caller, provider: ProviderStub
) -> None:
    name = fresh("answer")
    choices = rb'[{"index":0,"message":{"role":"assistant","content":"\u00e9\/ 1.10"},"logprobs":1e-2}]'
    usage = b'"prompt_tokens":3,"completion_tokens":4,"odd":{"x":1.10}'
    told = b'{ "id":"x", "choices":%b , "usage": {%b}, "unheard":[1E5,0.0,"\\u0041"] }'
    provider.script(name, replies(told % (choices, usage)))
    answer = caller.chat(f"stub/{name}")
    assert answer.status == 200
    for member in (b'"choices":' + choices, usage, rb'"unheard":[1E5,0.0,"\u0041"]'):
        assert member in answer.body
    assert answer.json()["usage"] == {**json.loads(b"{%b}" % usage), "from_cache": False}
    assert list(answer.json()) == ["id", "choices", "usage", "unheard"]


@pytest.mark.parametrize("counted", [b"", b',"usage":null', b',"usage":{}', b',"usage":{ }'])
def test_an_answer_without_counts_says_whether_it_was_cached(
    caller: Caller, provider: ProviderStub, counted: bytes
) -> None:
    name = fresh("uncounted")
    provider.script(name, replies(b'{"choices":[{"message":{"content":"hello"}}]%b}' % counted))
    assert caller.chat(f"stub/{name}").json()["usage"] == {"from_cache": False}


def test_an_answer_that_repeats_its_usage_elsewhere_is_marked_in_the_right_place(
    caller: Caller, provider: ProviderStub
) -> None:
    name = fresh("twice")
    usage = b'{"prompt_tokens":1}'
    provider.script(name, replies(b'{"echo":%b,"choices":[{}],"usage":%b}' % (usage, usage)))
    answer = caller.chat(f"stub/{name}").json()
    assert (answer["echo"], answer["usage"]) == (
        {"prompt_tokens": 1},
        {"prompt_tokens": 1, "from_cache": False},
    )


def test_a_stream_is_relayed_piece_by_piece(caller: Caller, provider: ProviderStub) -> None:
    """The provider sends the next piece only after the caller has read the one before."""
    name = fresh("pieces")
    pieces = ("first", " second", " third")
    provider.script(name, streams(pieces, gated=True))
    gate = provider.gate(name)
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello(f"stub/{name}", stream=True)))
        assert provider.wait_for(lambda: bool(provider.heard(name)))
        for number, piece in enumerate(pieces):
            gate.open()
            received = line.until(event(delta(piece)) + b"\r\n")
            assert (b"200 OK" in received) is (number == 0)
        assert provider.bill(name).calls == 0
        gate.open()
        assert DONE.rstrip() in line.until(b"0\r\n\r\n")


def test_a_streams_events_keep_their_bytes(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("events")
    events = [
        b": a comment\n\n",
        b"event: message\r\nid: 7\r\ndata:  %b\r\n\r\n" % delta("x"),
        b"data:%b\n\n" % chunk([{"index": 0, "delta": {"content": "\u00e9"}}], odd=1.5),
        b'data: {"choices":\ndata: [{"delta":{"content":"two lines"}}]}\n\n',
        DONE,
    ]
    provider.script(name, streams_events(events))
    answer = caller.chat(f"stub/{name}", members={"stream": True})
    assert answer.body == b"".join(events)
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"


def test_events_are_relayed_whole_however_they_were_cut(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("cuts")
    stream = event(delta("one")).replace(b"\n", b"\r\n") + event(delta("two")) + DONE
    provider.script(name, streams_events([stream[at : at + 1] for at in range(len(stream))]))
    assert caller.chat(f"stub/{name}", members={"stream": True}).body == stream


@pytest.mark.parametrize("asks", [False, True])
def test_the_usage_chunk_is_shown_to_those_who_asked(
    caller: Caller, provider: ProviderStub, asks: bool
) -> None:
    name = fresh("usage")
    answer = caller.chat(f"stub/{name}", members={"stream": True, "stream_options": {"include_usage": asks}})
    assert (b'"prompt_tokens"' in answer.body) is asks
    assert answer.body.endswith(DONE)
    assert only_heard(provider, name).asked["stream_options"]["include_usage"] is True


def test_counts_beside_text_are_never_hidden(caller: Caller, provider: ProviderStub) -> None:
    """Some hosts count along in every chunk: such a chunk holds text too."""
    name = fresh("along")
    events = [
        event(
            chunk(
                [{"index": 0, "delta": {"content": text}}], usage={"prompt_tokens": 3, "completion_tokens": n}
            )
        )
        for n, text in enumerate(("a", "b"), start=1)
    ]
    provider.script(name, streams_events([*events, DONE]))
    request = fresh("along")
    assert caller.chat(f"stub/{name}", request, {"stream": True}).body == b"".join([*events, DONE])
    assert caller.entry(request).meters == {"input": 3, "output": 2}


def test_of_the_providers_headers_only_listed_ones_are_passed(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("headers")
    ours = fresh("request")
    headers = [
        ("content-type", "application/json"),
        ("Set-Cookie", "session=stolen"),
        ("X-Request-ID", "the-providers"),
        ("X-Internal-Host", "10.0.0.7"),
        ("x-ratelimit-remaining-requests", "1"),
        ("openai-processing-ms", "17"),
        ("Server", "secret-software/1.0"),
        ("Access-Control-Allow-Origin", "*"),
    ]
    provider.script(name, replies(b'{"choices":[{}]}', headers=headers))
    answer = caller.chat(f"stub/{name}", ours)
    names = {header.lower() for header, _ in answer.headers}
    assert not names & {"set-cookie", "x-internal-host", "server", "access-control-allow-origin"}
    assert answer.header("x-request-id") == ours
    assert answer.header("openai-processing-ms") == "17"
    assert answer.header("x-ratelimit-remaining-requests") != "1"


@pytest.mark.parametrize("header", ["openai-version", "content-type"])
def test_a_provider_whose_headers_are_not_ascii_is_answered_for(
    caller: Caller, provider: ProviderStub, header: str
) -> None:
    name = fresh("bytes")
    plain = {"content-type": "application/json"} | {header: "application/json; x=\u2713"}
    provider.script(name, replies(b'{"choices":[{}]}', headers=list(plain.items())))
    assert caller.chat(f"stub/{name}").status == 200


def test_what_the_caller_sends_about_themselves_stays_here(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("private")
    caller.chat(
        f"stub/{name}", Cookie="session=callers", X_Gateway_Tags="team=search", X_Forwarded_For="10.0.0.9"
    )
    headers = only_heard(provider, name).headers
    assert headers["authorization"] == f"Bearer {PROVIDER_SECRET}"
    assert headers["accept-encoding"] == "identity"
    assert not headers.keys() & {"cookie", "x-gateway-tags", "x-forwarded-for", "x-request-id"}
    assert caller.key not in str(headers)


@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_says_who_gave_it_and_how_far_quotas_are_used(caller: Caller, stream: bool) -> None:
    answer = caller.chat("stub/told", members={"stream": stream})
    assert answer.status == 200
    assert answer.header("x-gateway-provider") == "stub"
    assert answer.header("x-gateway-model") == "stub/told"
    assert answer.header("x-gateway-cache") == "bypass"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.header("x-request-id") or "")
    for unit, limit in (("requests", "100000"), ("tokens", "100000000")):
        assert answer.header(f"x-ratelimit-limit-{unit}") == limit
        assert 0 < int(answer.header(f"x-ratelimit-remaining-{unit}") or 0) < int(limit)
        assert re.fullmatch(r"\d+\.\d{3}s", answer.header(f"x-ratelimit-reset-{unit}") or "")
    assert answer.header("x-gateway-cost-usd") == (None if stream else "0.000025000")
    assert (answer.header("x-gateway-overhead-ms") is None) is stream


@pytest.mark.parametrize(
    "given",
    ["a request", "x" * 129, "caf\u00e9", "<script>", ""],
    ids=["space", "long", "latin", "mark", "none"],
)
def test_a_request_id_that_is_none_is_replaced(caller: Caller, given: str) -> None:
    answer = caller.post(hello("echo"), X_Request_ID=given)
    assert answer.status == 200
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.header("x-request-id") or "")


def test_tags_are_booked(caller: Caller) -> None:
    request = fresh("tags")
    assert caller.chat("echo", request, X_Gateway_Tags="team=search, feature=answer=1").status == 200
    assert caller.entry(request).tags == {"team": "search", "feature": "answer=1"}
