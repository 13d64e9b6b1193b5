"""Answers that are sounds, or what was heard in them."""

from collections.abc import Mapping
from math import ceil
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import errors
from gateway.call import JSON, Ask, Reply, Usage
from gateway.durations import seconds_of
from gateway.figures import ABSURD
from gateway.members import is_given
from gateway.metering import openai_usage

_SOUND = "audio/"
_BYTES = "application/octet-stream"
_WRITTEN = frozenset({"text", "srt", "vtt"})
"""Formats of what was heard that are no JSON."""


class _Heard(Struct):
    text: str
    usage: Raw = Raw()
    duration: Any = None


_heard = msgspec.json.Decoder(_Heard)
_text = msgspec.json.Decoder(str)


def read_speech(headers: Mapping[str, str], body: bytes, passed: dict[str, str]) -> Reply:
    """A spoken text: its bytes are the answer, and how long they last is what it costs."""
    media = headers.get("content-type", _BYTES)
    if media.startswith((JSON, "text/")):
        raise errors.ProviderMalformed
    seconds = seconds_of(body, media)
    return Reply(
        status=200,
        content_type=media if media.startswith(_SOUND) else _BYTES,
        body=body,
        headers=passed,
        usage=None if seconds is None else Usage(audio_second=ceil(seconds)),
        empty=not body,
    )


def read_writing(ask: Ask, headers: Mapping[str, str], body: bytes, passed: dict[str, str]) -> Reply:
    """What was heard; silence is an answer too."""
    asked = ask.members.get("response_format")
    if asked is not None and _text.decode(asked) in _WRITTEN:
        return Reply(status=200, content_type="text/plain; charset=utf-8", body=body, headers=passed)
    try:
        heard = _heard.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise errors.ProviderMalformed from error
    return Reply(status=200, content_type=JSON, body=body, headers=passed, usage=_usage(ask, heard))


def _usage(ask: Ask, heard: _Heard) -> Usage | None:
    if is_given(heard.usage):
        return openai_usage(heard.usage, ask.kind)
    try:
        seconds = float(heard.duration)
    except (TypeError, ValueError):
        return None
    return Usage(audio_second=ceil(seconds)) if 0 <= seconds < ABSURD else None
