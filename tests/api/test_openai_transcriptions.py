"""Recordings come as forms, whose bytes arrive as they were sent but for the name of the model."""

from collections.abc import Iterator

import openai
import pytest

from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.openai_clients import async_client_of, client_of
from tests.support.provider_kinds import events_then, typed
from tests.support.provider_scripts import COMPLETION_TOKENS, PIECES, PROMPT_TOKENS, fails, replies
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer
from tests.support.refusals import refused

PATH = "/v1/audio/transcriptions"
SAID = "".join(PIECES)
SECOND_NANO = 100_000
SOUND = b"RIFF\x00\xff\r\n--not-the-boundary\r\n\r\n" * 50
BOUNDARY = "----a-boundary-of-ours"


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("doors")


@pytest.fixture
def client(caller: Caller) -> Iterator[openai.OpenAI]:
    with client_of(caller) as client:
        yield client


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def form(model: str, **fields: str) -> bytes:
    named = b"".join(part(name, value.encode()) for name, value in fields.items())
    file = part("file", SOUND, '; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav')
    return file + part("model", model.encode()) + named + f"--{BOUNDARY}--\r\n".encode()


def send(caller: Caller, body: bytes, request: str = "", media: str = "") -> Answer:
    media = media or f"multipart/form-data; boundary={BOUNDARY}"
    return caller.post(body, request, PATH, Content_Type=media)


def test_a_recording_is_written_down_counted_and_charged(client: openai.OpenAI, caller: Caller) -> None:
    request = fresh("heard")
    heard = client.audio.transcriptions.create(
        model="stub/heard", file=("a.wav", SOUND), extra_headers={"X-Request-ID": request}
    )
    assert heard.text == SAID
    row = caller.entry(request)
    assert (row.kind, row.status, bool(row.estimated)) == ("transcription", "settled", False)
    assert (row.meters, row.charge_nano) == ({"audio_second": 7}, 7 * SECOND_NANO)


@pytest.mark.parametrize("wanted", ["text", "srt", "vtt"])
async def test_plain_formats_come_as_text(caller: Caller, wanted: str) -> None:
    request = fresh("plain")
    async with async_client_of(caller) as client:
        heard = await client.audio.transcriptions.create(
            model="stub/heard",
            file=("a.wav", SOUND),
            response_format=wanted,  # type: ignore[call-overload]
            extra_headers={"X-Request-ID": request},
        )
    assert heard == f"{SAID}\n"
    row = caller.entry(request)
    assert (row.kind, row.status, bool(row.estimated)) == ("transcription", "settled", True)


def test_the_verbose_format_is_counted_by_what_it_says(
    client: openai.OpenAI, caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("verbose"), fresh("verbose")
    provider.script(name, replies(b'{"text":"hello","language":"english","duration":6.5,"segments":[]}'))
    heard = client.audio.transcriptions.create(
        model=f"stub/{name}",
        file=("a.wav", SOUND),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        extra_headers={"X-Request-ID": request},
    )
    assert heard.duration == 6.5
    assert caller.entry(request).meters == {"audio_second": 7}


async def test_a_recording_is_written_down_piece_by_piece(caller: Caller) -> None:
    request = fresh("stream")
    async with async_client_of(caller) as client:
        stream = await client.audio.transcriptions.create(
            model="stub/heard", file=("a.wav", SOUND), stream=True, extra_headers={"X-Request-ID": request}
        )
        events = [one async for one in stream]
    assert "".join(one.delta for one in events if one.type == "transcript.text.delta") == SAID
    assert events[-1].type == "transcript.text.done"
    assert caller.entry(request).meters == {"audio_in": PROMPT_TOKENS, "output": COMPLETION_TOKENS}


def test_a_stream_that_is_cut_is_told_and_booked(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("cut"), fresh("cut")
    first = typed({"type": "transcript.text.delta", "delta": "Hello"})
    provider.script(name, events_then([first], cut=True))
    answer = send(caller, form(f"stub/{name}", stream="true"), request)
    assert first in answer.body
    assert b"provider_cut" in answer.body
    assert b"transcript.text.done" not in answer.body
    row = caller.entry(request)
    assert (row.kind, row.status, bool(row.estimated)) == ("transcription", "settled", True)


def test_the_form_arrives_byte_for_byte_but_for_the_model(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("bytes")
    assert send(caller, form(f"stub/{name}", prompt="caf\u00e9", odd="1")).status == 200
    heard = provider.heard(name)[0]
    assert heard.body == form(name, prompt="caf\u00e9", odd="1")
    assert heard.headers["content-type"] == f"multipart/form-data; boundary={BOUNDARY}"
    assert heard.path == PATH


def test_a_providers_error_is_told_and_booked_once(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("wrong"), fresh("wrong")
    provider.script(name, fails(400, message="not like that"))
    refused(send(caller, form(f"stub/{name}"), request), 400, "provider_rejected")
    row = caller.entry(request)
    assert (row.kind, row.status, row.charge_nano) == ("transcription", "failed", 0)


def test_an_answer_that_is_none_is_booked_at_its_bound(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("odd"), fresh("odd")
    provider.script(name, replies(b'{"object":"something else"}'))
    refused(send(caller, form(f"stub/{name}"), request), 502, "provider_malformed")
    assert caller.entry(request).status == "unsettled"


def test_a_tenant_without_money_is_refused(calling: Calling, provider: ProviderStub) -> None:
    name = fresh("poor")
    refused(send(calling("poor"), form(f"stub/{name}")), 429, "budget_exceeded")
    assert provider.heard(name) == []


HOSTILE: dict[str, tuple[bytes, str | None]] = {
    "the model twice": (form("stub/a", model2="x").replace(b'"model2"', b'"model"'), "model"),
    "a file as the model": (part("model", b"m", '; filename="m"') + form("stub/a"), "model"),
    "no file": (part("model", b"stub/a") + f"--{BOUNDARY}--\r\n".encode(), "file"),
    "two files": (part("file", b"x", '; filename="x"') + form("stub/a"), "file"),
    "an unknown format": (form("stub/a", response_format="docx"), "response_format"),
    "a stream of maybe": (form("stub/a", stream="maybe"), "stream"),
    "invalid UTF-8": (part("prompt", b"\xff") + form("stub/a"), "prompt"),
    "no end": (form("stub/a")[:-4], None),
    "nothing": (b"", None),
    "JSON": (b'{"model":"stub/a"}', None),
}


@pytest.mark.parametrize(("body", "param"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_form_is_refused(uncharged: Caller, body: bytes, param: str | None) -> None:
    refused(send(uncharged, body), 400, "invalid_request", param)


@pytest.mark.parametrize(
    "body",
    [part("a", b"") * 100_000 + form("stub/a"), part("a", b"", "\r\nX: " + "y" * 100_000) + form("stub/a")],
    ids=["many fields", "long headers"],
)
def test_a_form_like_a_bomb_is_too_large(uncharged: Caller, body: bytes) -> None:
    refused(send(uncharged, body), 413, "request_too_large")


@pytest.mark.parametrize("media", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(uncharged: Caller, media: str) -> None:
    refused(send(uncharged, form("stub/a"), media=media), 400, "invalid_request")


@pytest.mark.parametrize("media", ["application/json", "multipart/mixed; boundary=x", "text/plain"])
def test_another_type_of_body_is_refused(uncharged: Caller, media: str) -> None:
    refused(send(uncharged, form("stub/a"), media=media), 415, "unsupported_media_type")
