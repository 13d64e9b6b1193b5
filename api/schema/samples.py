"""What each inference door is asked with in examples: it works at the provider that `make run` brings."""

from collections.abc import Mapping
from typing import Any

import msgspec

Fields = Mapping[str, str | bytes]

_HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hello."}]}
_PROMPT: dict[str, Any] = {"prompt": "Say hello.", "max_tokens": 50}

_encode = msgspec.json.Encoder().encode

CHAT = _encode({"model": "echo", **_HELLO, "max_tokens": 50})
COMPLETION = _encode({"model": "echo", **_PROMPT})
EMBEDDINGS = _encode({"model": "echo-embedding", "input": ["hello", "goodbye"]})
RESPONSE = _encode({"model": "echo", "input": "Say hello.", "max_output_tokens": 50})
MODERATION = _encode({"model": "echo-moderation", "input": "Is there violence in this?"})
IMAGE = _encode({"model": "echo-image", "prompt": "A cat that reads.", "n": 1})
SPEECH = _encode({"model": "echo-audio", "input": "Hello there.", "voice": "alloy"})
RERANK = _encode(
    {
        "model": "echo-rerank",
        "query": "Which fruit is red?",
        "documents": ["A cherry is red.", "The sky is blue."],
    }
)
MESSAGE = _encode({"model": "echo", "max_tokens": 50, **_HELLO})
COUNT = _encode({"model": "echo", **_HELLO})
GENERATE = _encode({"model": "echo", **_PROMPT})
TEXTS = _encode({"model": "echo-embedding", "texts": ["hello", "goodbye"]})
QUERY = _encode({"model": "echo", **_PROMPT, "context": "You are polite."})
TEXT = _encode({"model": "echo-embedding", "text": "hello"})

BOUNDARY = "an-end-of-a-field"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form_body(fields: Fields) -> bytes:
    """Fields as a form; a value of bytes is a file."""
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (
            BOUNDARY.encode(),
            name.encode(),
            b'; filename="hello.wav"' if isinstance(value, bytes) else b"",
            value if isinstance(value, bytes) else value.encode(),
        )
        for name, value in fields.items()
    ]
    return b"%b--%b--\r\n" % (b"".join(parts), BOUNDARY.encode())


TRANSCRIPTION = form_body({"model": "echo-audio", "response_format": "json", "file": b"a recording"})
