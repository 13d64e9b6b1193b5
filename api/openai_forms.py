"""What OpenAI's clients send as forms: recordings to be written down."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from api.asgi import Headers
from api.openai_bodies import FORMAT, NAME
from gateway.call import Ask
from gateway.errors import InvalidRequest
from gateway.forms import Field, read_form, text_of

_MEDIA = b"content-type"
FORMATS = frozenset({"json", "text", "srt", "vtt", "verbose_json", "diarized_json"})
FLAGS: Mapping[str, bool] = {
    "true": True,
    "True": True,
    "1": True,
    "false": False,
    "False": False,
    "0": False,
}
_LONGEST_TEXT = 65_536

_encode = msgspec.json.Encoder().encode


def parse_transcription(body: bytes, headers: Headers) -> Ask:
    """A recording; the bytes of its form stay as they came."""
    media = headers[_MEDIA].decode("latin-1")
    texts = _texts(body, read_form(body, media))
    if texts.get("response_format", "json") not in FORMATS:
        raise InvalidRequest(f"The format is one of {', '.join(sorted(FORMATS))}.", param="response_format")
    stream = FLAGS.get(texts.get("stream", "false"))
    if stream is None:
        raise InvalidRequest("This is true or false.", param="stream")
    return Ask(
        dialect=NAME,
        kind="transcription",
        format=FORMAT,
        model=texts.get("model", ""),
        body=body,
        media=media,
        members={name: Raw(_encode(text)) for name, text in texts.items()},
        stream=stream,
        end_user=texts.get("user", ""),
    )


def _texts(body: bytes, fields: tuple[Field, ...]) -> dict[str, str]:
    """The values of the fields beside the file; only a list's field may stand twice."""
    texts: dict[str, str] = {}
    files = 0
    for field in fields:
        if field.name == "file":
            files += 1
            continue
        if field.filename is not None or field.end - field.start > _LONGEST_TEXT:
            raise InvalidRequest("This field is a short text.", param=field.name)
        if field.name in texts and not field.name.endswith("[]"):
            raise InvalidRequest("The form names a field twice.", param=field.name)
        texts[field.name] = text_of(body, field)
    if files != 1:
        raise InvalidRequest("A form has one file.", param="file")
    return texts
