"""Documents that would rot are held to the code: names, commands, settings, snippets, links, records."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands, load_command_class

from api.doors import Inference, find_door
from gateway.call import Ask

ROOT = Path(__file__).resolve().parent.parent
RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))
LIVING = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
SECTIONS = ["Context", "Decision", "Rejected alternatives", "Consequences"]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z]+(?:-[a-z]+)*)")
_MANAGE = re.compile(r"manage\.py ([a-z_]+)([^`#\n]*)")
_FLAG = re.compile(r"(?<!\S)--[a-z-]+")
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", path.read_text())


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for kind, text in _FENCE.findall(path.read_text()) if kind == language]


def code(path: Path) -> str:
    """All that a document prints as code: shell blocks, and spans of its prose."""
    return "\n".join([*blocks(path, "bash"), *_SPAN.findall(prose(path))])


def anchors(path: Path) -> set[str]:
    """The addresses of a document's headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(path)))
    return {heading.replace(" ", "-") for heading in plain}


def readme(language: str) -> list[str]:
    found = blocks(ROOT / "README.md", language)
    assert found
    return found


def curls() -> Iterator[list[str]]:
    """The words of each curl command in the README."""
    for block in readme("bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("curl "):
                yield shlex.split(line)


def asked_of(words: list[str]) -> tuple[Inference, Ask, str]:
    """The door of a curl command, what its dialect reads from the body, and the address."""
    address = next(word for word in words if word.startswith("http"))
    door, _ = find_door(urlsplit(address).path)
    assert isinstance(door, Inference)
    body = words[words.index("-d") + 1]
    assert json.loads(body)
    return door, door.parse(body.encode(), {}), address


def default_of(name: str) -> str:
    """The place that the gateway has when nothing is set."""
    return next(variable.default for variable in settings.ENVIRONMENT if variable.name == name)


@pytest.mark.parametrize("path", [*LIVING, *RECORDS], ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    inner = [link for link in _LINK.findall(prose(path)) if not urlsplit(link).scheme]
    for link in inner:
        place, _, heading = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


@pytest.mark.parametrize("path", LIVING, ids=name_of)
def test_named_files_exist(path: Path) -> None:
    folders = {folder.name for folder in ROOT.iterdir() if folder.is_dir()}
    spans = [span for span in _SPAN.findall(prose(path)) if " " not in span]
    named = [span.rstrip("/") for span in spans if span.partition("/")[0] in folders]
    assert [span for span in named if not (ROOT / span).exists()] == []


@pytest.mark.parametrize("path", LIVING, ids=name_of)
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_MAKE.findall(code(path))) - targets == set()


@pytest.mark.parametrize("path", LIVING, ids=name_of)
def test_commands_and_their_options_exist(path: Path) -> None:
    for name, rest in _MANAGE.findall(code(path)):
        assert name in get_commands()
        command = load_command_class(get_commands()[name], name)
        known = command.create_parser("manage.py", name)._option_string_actions
        assert [flag for flag in _FLAG.findall(rest) if flag not in known] == []


def test_the_readme_shows_both_ways_to_start() -> None:
    assert {"run", "test", "bench"} <= set(_MAKE.findall(code(ROOT / "README.md")))


def test_curl_examples_are_calls_that_a_door_takes() -> None:
    asks = [asked_of(words)[1] for words in curls()]
    assert [ask.stream for ask in asks] == [False, True]
    assert {ask.model for ask in asks} == {"echo"}


def test_examples_go_where_the_gateway_listens() -> None:
    own = f"http://{default_of('HOST')}:{default_of('PORT')}"
    assert {f"http://{urlsplit(asked_of(words)[2]).netloc}" for words in curls()} == {own}
    (python,) = readme("python")
    compile(python, "README.md", "exec")
    assert f'base_url="{own}/v1"' in python


@pytest.mark.django_db
def test_the_configuration_example_applies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = readme("yaml")
    file = tmp_path / "gateway.yaml"
    file.write_text(example)
    call_command("apply", str(file), dry_run=True)
    assert "Nothing was changed: this was a dry run." in capsys.readouterr().out


def test_settings_are_listed_with_their_defaults() -> None:
    listed = _ROW.findall((ROOT / "docs/settings.md").read_text())
    given = {name: default.replace("`", "") for name, default, _ in listed}
    assert len(given) == len(listed)
    hosts = "localhost,127.0.0.1,[::1]"
    known = {variable.name: variable.default or "empty" for variable in settings.ENVIRONMENT}
    known["GATEWAY_HOME"] = Path(known["GATEWAY_HOME"]).relative_to(ROOT).as_posix()
    known["GATEWAY_ALLOWED_HOSTS"] = known["GATEWAY_ALLOWED_HOSTS"][: len(hosts)]
    assert given == known


def test_records_are_numbered_without_gaps() -> None:
    numbers = [path.name.partition("-")[0] for path in RECORDS]
    assert numbers == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]
    assert numbers


@pytest.mark.parametrize("path", RECORDS, ids=name_of)
def test_a_record_says_why_and_what_else_there_was(path: Path) -> None:
    number = path.name.partition("-")[0]
    title, *parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    assert title.startswith(f"# {number}. ")
    assert "\nStatus: " in title
    said = [part.partition("\n") for part in parts]
    assert [heading for heading, _, _ in said] == SECTIONS
    assert all(text.strip() for _, _, text in said)


def test_the_changelog_knows_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == settings.VERSION
    assert f"## [{settings.VERSION}]" in (ROOT / "CHANGELOG.md").read_text()
