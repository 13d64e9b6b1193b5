"""The environment is read once, typed and loudly."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway_project.environment import Environment


@pytest.mark.parametrize(
    ("word", "meant"), [("1", True), ("Yes", True), (" on ", True), ("false", False), ("", False)]
)
def test_a_boolean_is_read_in_the_usual_spellings(word: str, meant: bool) -> None:
    assert Environment({"FLAG": word}).boolean("FLAG", meaning="a flag") is meant


def test_any_other_word_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(ImproperlyConfigured, match="FLAG"):
        Environment({"FLAG": "maybe"}).boolean("FLAG", meaning="a flag")


@pytest.mark.parametrize("digits", ["many", "1.5", "0"])
def test_a_number_is_whole_and_large_enough(digits: str) -> None:
    assert Environment({}).integer("PORT", 8000, minimum=1, meaning="a port") == 8000
    with pytest.raises(ImproperlyConfigured, match="PORT"):
        Environment({"PORT": digits}).integer("PORT", 8000, minimum=1, meaning="a port")


def test_nothing_said_is_neither_yes_nor_no() -> None:
    told = [
        Environment(said).maybe("KEEP", meaning="to keep") for said in ({}, {"KEEP": "on"}, {"KEEP": "0"})
    ]
    assert told == [None, True, False]
    with pytest.raises(ImproperlyConfigured, match="KEEP"):
        Environment({"KEEP": "perhaps"}).maybe("KEEP", meaning="to keep")
    environment = Environment({"KEEP": "on"})
    environment.maybe("KEEP", meaning="to keep")
    assert [variable.default for variable in environment.variables] == [""]


def test_a_choice_is_one_of_the_words() -> None:
    words = ("NORMAL", "FULL")
    assert Environment({}).choice("MODE", words, meaning="a mode") == "NORMAL"
    assert Environment({"MODE": "full"}).choice("MODE", words, meaning="a mode") == "FULL"
    with pytest.raises(ImproperlyConfigured, match="MODE"):
        Environment({"MODE": "OFF"}).choice("MODE", words, meaning="a mode")


def test_an_address_begins_as_such_servers_do_and_keeps_its_password_to_itself() -> None:
    known = Environment({"CACHE": "redis://cache.internal"}).address("CACHE", ("redis",), meaning="a cache")
    assert known == "redis://cache.internal"
    assert Environment({}).address("CACHE", ("redis",), meaning="a cache") == ""
    with pytest.raises(ImproperlyConfigured, match="CACHE") as raised:
        Environment({"CACHE": "http://:hidden@x"}).address("CACHE", ("redis",), meaning="a cache")
    assert "hidden" not in str(raised.value)


def test_names_are_parted_by_commas() -> None:
    assert Environment({"HOSTS": "a, b,,"}).names("HOSTS", meaning="hosts") == ["a", "b"]


def test_what_is_read_is_remembered_with_its_meaning() -> None:
    environment = Environment({"PORT": "9000"})
    environment.integer("PORT", 8000, meaning="Where to listen.")
    environment.boolean("FLAG", meaning="A flag.")
    known = [(variable.name, variable.default, variable.meaning) for variable in environment.variables]
    assert known == [("PORT", "8000", "Where to listen."), ("FLAG", "false", "A flag.")]


def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret"
    first = Environment({}).kept("SECRET", path, lambda: "made-first", meaning="a secret")
    second = Environment({}).kept("SECRET", path, lambda: "made-second", meaning="a secret")
    assert first == second == "made-first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_given_secret_is_not_written_anywhere(tmp_path: Path) -> None:
    given = Environment({"SECRET": "given"}).kept("SECRET", tmp_path / "secret", str, meaning="a secret")
    assert given == "given"
    assert not (tmp_path / "secret").exists()
