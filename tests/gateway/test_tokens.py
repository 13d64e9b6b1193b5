"""Tokens counted here: offline, and in a time that a text cannot stretch."""

import socket
from time import process_time
from typing import Any

import pytest
import tiktoken

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


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "word", ["hello world ", "Grüße 🙂 ", "a", " ", "\n\n", "internationalisation", "7", "ﷺ"]
)
def test_a_bound_is_never_less_than_the_tokens_wherever_the_text_is_cut(word: str) -> None:
    counter = TokenCounter()
    for length in (65_535, 65_536, 65_537, 200_003):
        text = (word * length)[:length]
        bounds = counter.most_now(text, ["o200k_base", "cl100k_base"])
        for name, most in bounds.items():
            exact = len(tiktoken.get_encoding(name).encode_ordinary(text))
            assert exact <= most <= exact + 64
    assert counter.most_now("", ["o200k_base"]) == {"o200k_base": 0}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("o200k_base", "}the", "don't  AAAA "), ("cl100k_base", "internationalisation  ", "AAAAAAAA")],
)
def test_a_cut_through_a_word_that_makes_it_shorter_is_made_up_for(
    name: str, before: str, after: str
) -> None:
    text = ("hello world\n" * 6_000)[: 65_535 - len(before)] + "\n" + before + after
    exact = len(tiktoken.get_encoding(name).encode_ordinary(text))
    assert TokenCounter().most_now(text, [name])[name] >= exact


async def test_a_bound_of_no_vocabulary_is_none() -> None:
    counter = TokenCounter()
    assert await counter.most(b"hello world", []) == {}
    assert await counter.most(b"hello world", ["cl100k_base"]) == {"cl100k_base": 2}
