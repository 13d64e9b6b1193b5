"""OpenAI's wire for what is no chat: where it is asked for, what counts, and what is no answer."""

import msgspec
import pytest

from gateway import errors
from gateway.call import Ask, Kind, Usage
from gateway.once import claim_of
from gateway.wires import wire_for
from gateway.wires.openai import build_request, read_reply
from tests.support.clock import FakeClock
from tests.support.engine import TENANT, Rig, ask_of, make_deployment, make_provider

MEDIA = "multipart/form-data; boundary=b"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x00\xff\r\n--b--\r\n'
)


def form_ask(body: bytes = FORM, model: str = "m", media: str = MEDIA) -> Ask:
    return Ask(
        dialect="openai",
        kind="transcription",
        format="openai",
        model=model,
        body=body,
        members={},
        media=media,
    )


def of_kind(kind: Kind, operation: str = "", body: bytes = b'{"model":"m"}') -> Ask:
    return ask_of(body, kind=kind, operation=operation)


@pytest.mark.parametrize(
    ("kind", "operation", "path"),
    [
        ("chat", "completion", "/completions"),
        ("chat", "response", "/responses"),
        ("image", "", "/images/generations"),
        ("moderation", "", "/moderations"),
        ("rerank", "", "/rerank"),
        ("speech", "", "/audio/speech"),
    ],
)
def test_each_task_has_its_place(kind: Kind, operation: str, path: str) -> None:
    assert build_request(of_kind(kind, operation), make_deployment()).url.endswith(f"/v1{path}")


def test_a_form_goes_out_with_another_model_and_the_same_boundary() -> None:
    assert build_request(form_ask(), make_deployment(upstream="m")).body == FORM
    request = build_request(form_ask(), make_deployment(upstream="whisper 1"))
    assert request.body == FORM.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nwhisper 1\r\n")
    assert request.headers["content-type"] == MEDIA


def test_a_form_that_names_no_model_is_given_one() -> None:
    unnamed = FORM[FORM.index(b"--b\r\n", 5) :]
    request = build_request(form_ask(unnamed, model=""), make_deployment(upstream="whisper-1"))
    assert request.body == FORM.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nwhisper-1\r\n")


def test_responses_are_native_only_where_the_host_has_them() -> None:
    ask = of_kind("chat", "response")
    native, other = wire_for(ask, make_provider(has_responses=True)), wire_for(ask, make_provider())
    assert native is not None
    assert other is not None
    deployment = make_deployment()
    asked = ask_of(b'{"model":"m","input":"x"}', operation="response")
    assert native.build_request(asked, deployment).url.endswith("/responses")
    assert other.build_request(asked, deployment).url.endswith("/chat/completions")
    assert wire_for(ask, make_provider(wire="anthropic")) is None


@pytest.mark.parametrize(
    ("kind", "body", "usage"),
    [
        ("image", b'{"data":[{},{}]}', Usage(image=2)),
        (
            "image",
            b'{"data":[{}],"usage":{"input_tokens":5,"output_tokens":9}}',
            Usage(input=5, image_out=9, image=1),
        ),
        ("rerank", b'{"results":[{}],"usage":{"total_tokens":7}}', Usage(input=7)),
        ("rerank", b'{"results":[{}],"meta":{"billed_units":{"search_units":2}}}', Usage(search=2)),
        ("rerank", b'{"results":[{}],"meta":{"billed_units":{"search_units":-1}}}', None),
        ("rerank", b'{"results":[{}],"meta":{"billed_units":{"search_units":1e300}}}', None),
        ("rerank", b'{"results":[{}],"meta":7}', None),
        ("moderation", b'{"results":[{}]}', None),
    ],
)
def test_what_was_counted_is_known(kind: Kind, body: bytes, usage: Usage | None) -> None:
    assert read_reply(of_kind(kind), {}, body).usage == usage


@pytest.mark.parametrize(
    ("kind", "operation", "body"),
    [
        ("image", "", b'{"results":[{}]}'),
        ("moderation", "", b'{"data":[{}]}'),
        ("chat", "response", b'{"choices":[{}]}'),
        ("chat", "completion", b'{"output":[{}]}'),
        ("transcription", "", b"hello"),
        ("transcription", "", b'{"text":null}'),
    ],
)
def test_the_answer_to_another_task_is_none(kind: Kind, operation: str, body: bytes) -> None:
    with pytest.raises(errors.ProviderMalformed):
        read_reply(of_kind(kind, operation), {}, body)


def test_a_response_that_failed_is_a_failure_and_one_cut_short_is_an_answer() -> None:
    ask = of_kind("chat", "response")
    with pytest.raises(errors.ProviderError):
        read_reply(ask, {}, b'{"status":"failed","output":[],"error":{"code":"server_error"}}')
    assert read_reply(ask, {}, b'{"status":"completed","output":[]}').empty
    assert not read_reply(ask, {}, b'{"status":"incomplete","output":[]}').empty


@pytest.mark.parametrize(
    ("duration", "usage"),
    [(b"6.5", Usage(audio_second=7)), (b'"6.5"', Usage(audio_second=7)), (b"-1", None), (b"[]", None)],
)
def test_a_duration_counts_where_nothing_else_does(duration: bytes, usage: Usage | None) -> None:
    body = b'{"text":"hello","duration":%b}' % duration
    assert read_reply(of_kind("transcription"), {}, body).usage == usage


@pytest.mark.parametrize("media", ["text/html", "application/json", "text/plain; x=y"])
def test_speech_is_no_text(media: str) -> None:
    with pytest.raises(errors.ProviderMalformed):
        read_reply(of_kind("speech"), {"content-type": media}, b"hello")


@pytest.mark.parametrize(
    ("media", "told"), [("audio/mpeg", "audio/mpeg"), ("image/svg+xml", "application/octet-stream")]
)
def test_speech_is_told_as_sound_or_as_bytes(media: str, told: str) -> None:
    assert read_reply(of_kind("speech"), {"content-type": media}, b"\x00").content_type == told


def test_a_form_that_is_sent_again_is_the_same_whatever_its_boundary(clock: FakeClock) -> None:
    rig = Rig(clock=clock)
    again = form_ask(FORM.replace(b"--b", b"--other"), media="multipart/form-data; boundary=other")
    another = form_ask(FORM.replace(b"\x00\xff", b"\x00\xfe"))
    claims = [claim_of(rig.call(ask, idempotency_key="key"), TENANT) for ask in (form_ask(), again, another)]
    assert claims[0] == claims[1] != claims[2]


def test_a_completion_and_a_response_are_not_repetitions_of_each_other(clock: FakeClock) -> None:
    rig = Rig(clock=clock)
    asks = [of_kind("chat", operation) for operation in ("completion", "response")]
    one, other = [claim_of(rig.call(ask, idempotency_key="key"), TENANT) for ask in asks]
    assert one != other


def test_the_counts_of_a_response_are_read() -> None:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }
    body = msgspec.json.encode({"output": [{}], "usage": usage})
    counted = Usage(input=6, cache_read=4, output=3, reasoning=2)
    assert read_reply(of_kind("chat", "response"), {}, body).usage == counted
