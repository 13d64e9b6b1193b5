"""A dialect that nobody speaks, in one file: a list of a model and a question is asked, and a list answered.

A question with an exclamation mark is answered as a stream.
"""

import msgspec

from api.asgi import Headers
from gateway.call import Ask, Call, Event, Outcome
from gateway.errors import GatewayError, InvalidRequest
from gateway.plain import TextReader, chat_ask, read_text
from gateway.sse import encode_event

NAME = "toy"

_encode = msgspec.json.Encoder().encode
_question = msgspec.json.Decoder(tuple[str, str])


def parse(body: bytes, _: Headers) -> Ask:
    """A model and a question."""
    try:
        model, question = _question.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest("Ask with a list of a model and a question.") from error
    return chat_ask(NAME, question, model=model, stream=question.endswith("!"))


def render_reply(_: Call, outcome: Outcome) -> bytes:
    """What was said, and by whom."""
    return _encode(["said", read_text(outcome.reply.body).text, outcome.served.provider])


class _Stream:
    def __init__(self) -> None:
        self._reader = TextReader()

    def render(self, event: Event) -> bytes:
        """One piece."""
        text = self._reader.read(event)
        return encode_event(_encode(["piece", text])) if text else b""

    def finish(self, outcome: Outcome) -> bytes:
        """The last piece, and what it cost."""
        rest = self.render(Event(outcome.reply.body))
        return rest + encode_event(_encode(["end", outcome.charge_nano]))


def open_stream(_: Call) -> _Stream:
    """A stream."""
    return _Stream()


def render_error(error: GatewayError, request_id: str) -> bytes:
    """What went wrong."""
    return _encode(["error", error.code, request_id])


def render_stream_error(error: GatewayError, request_id: str) -> bytes:
    """The same, in the middle of a stream."""
    return encode_event(render_error(error, request_id))
