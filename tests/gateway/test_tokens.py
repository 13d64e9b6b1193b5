"""Tokens counted here: offline, and in a time that a text cannot stretch."""

import socket
from time import process_time
from typing import Any

import pytest

from gateway.tokens import TokenCounter


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name resolves and no connection opens."""

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("something goes online")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("hello world", 2), ("Grüße 🙂", 4), ("<|endoftext|>", 7)]
)
def test_a_vocabulary_is_at_hand_without_the_net(text: str, tokens: int) -> None:
    assert TokenCounter().count_now(text) == tokens


async def test_pieces_are_counted_as_the_text_they_make() -> None:
    counter = TokenCounter()
    assert await counter.count(["hel", "lo", " wor", "ld"]) == counter.count_now("hello world") == 2


def test_a_long_text_is_sampled() -> None:
    counter = TokenCounter()
    exact = counter.count_now("hello world " * 5_000)
    assert counter.count_now("hello world " * 50_000) == pytest.approx(10 * exact, rel=0.01)


def test_no_text_takes_long() -> None:
    counter = TokenCounter()
    counter.count_now("warm up")
    began = process_time()
    for text in ("a" * 3_000_000, " " * 3_000_000, "ﷺ" * 1_000_000):
        counter.count_now(text)
    assert process_time() - began < 20
