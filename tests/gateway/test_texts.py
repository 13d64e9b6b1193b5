"""The texts of a prompt are found wherever they sit in it."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.texts import texts_in


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("hello", {"hello"}),
        (["one", "two"], {"one", "two"}),
        ([{"role": "user", "content": "hi"}], {"hi"}),
        (
            [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "ho"}]}],
            {"hi", "ho"},
        ),
        ([[1, 2, 3]], set()),
        (None, set()),
    ],
)
def test_texts_are_found_wherever_they_sit(prompt: Any, texts: set[str]) -> None:
    assert set(texts_in(Raw(msgspec.json.encode(prompt)))) == texts


def test_no_prompt_has_no_texts() -> None:
    assert list(texts_in(None)) == []
