"""Names with one star in them."""

import pytest

from gateway.patterns import best_pattern, fill_star, matches


@pytest.mark.parametrize(
    ("pattern", "name", "covers"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4*", "gpt-4", True),
        ("gpt-4*", "gpt-4o-mini", True),
        ("openai/*", "openai/gpt-4o", True),
        ("openai/*", "azure/gpt-4o", False),
        ("*-mini", "gpt-4o-mini", True),
        ("gpt-*-mini", "gpt-4o-mini", True),
        ("gpt-*-mini", "gpt-mini", False),
        ("ab*ba", "aba", False),
        ("*", "", True),
        ("a*", "a*", True),
    ],
)
def test_a_star_stands_for_anything_else(pattern: str, name: str, covers: bool) -> None:
    assert matches(pattern, name) is covers


def test_the_longest_pattern_wins_then_the_first_in_the_alphabet() -> None:
    assert best_pattern(["*", "gpt-*", "gpt-4*"], "gpt-4o") == "gpt-4*"
    assert best_pattern(["b*a", "ba*"], "bab-a") == "b*a"
    assert best_pattern(["openai/*"], "gpt-4o") is None


@pytest.mark.parametrize(
    ("text", "pattern", "name", "filled"),
    [
        ("*", "openai/*", "openai/gpt-4o", "gpt-4o"),
        ("models/*:latest", "ollama/*", "ollama/gemma3", "models/gemma3:latest"),
        ("fixed", "openai/*", "openai/gpt-4o", "fixed"),
        ("*", "gpt-*-mini", "gpt-4o-mini", "4o"),
        ("*", "plain", "plain", "*"),
    ],
)
def test_a_star_is_filled_with_what_it_stood_for(text: str, pattern: str, name: str, filled: str) -> None:
    assert fill_star(text, pattern, name) == filled
