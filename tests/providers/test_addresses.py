"""Which addresses stay in a network of our own."""

import pytest

from providers.addresses import is_private


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://localhost:11434/v1",
        "http://127.0.0.1:8000",
        "http://[::1]/v1",
        "http://192.168.1.11:11434",
        "http://10.1.2.3/v1",
        "http://[fd00::1]/v1",
        "http://ollama-consistency:11434",
        "http://vllm.internal/v1",
        "http://box.local",
    ],
)
def test_private(url: str) -> None:
    assert is_private(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://8.8.8.8/v1",
        "https://localhost.example.com",
        "https://[2606:4700::1]",
    ],
)
def test_public(url: str) -> None:
    assert not is_private(url)
