"""The examples of the documents that this gateway was asked for, run by curl as they are written there.

Only host and port are replaced. The gateway is the one of `make run`: without a key, on loopback, with the
echo provider in the place of all others. Each example is one entry in the ledger, or none if it only tells.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway_books import EmbeddedReading
from tests.support.gateway_server import WebProcess
from tests.support.seed_examples import ALIASES, EXAMPLES, Example, told
from tests.support.waiting import eventually

ADDRESS = re.compile(r"http://localhost:(?:8000|8001|8080|5055)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(home: Path) -> Iterator[WebProcess]:
    """What `make run` starts, with the platform key of the examples."""
    environment = {"GATEWAY_HOME": str(home), "GATEWAY_ADMIN_TOKEN": "admin-token"}
    web = Demo(environment, home / "web.log")
    web.start()
    try:
        web.await_ready()
        yield web
    finally:
        web.stop()
    assert " ERROR " not in web.log


class Demo(WebProcess):
    """A web process that prepares itself."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        super().__init__(0, environment=environment, log=log)
        self._arguments = (*self._arguments, "--demo")


def curl(command: str, demo: WebProcess, *more: str) -> str:
    """What curl prints, run word for word but for the address."""
    words = shlex.split(ADDRESS.sub(demo.url, command.replace("\\\n", " ")))
    assert words[0] == "curl"
    options = ["--silent", "--show-error", "--fail-with-body", "--max-time", "15", *more]
    done = subprocess.run([*words, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_works_word_for_word(demo: WebProcess, home: Path, example: Example) -> None:
    books = EmbeddedReading(home / "gateway.sqlite3")
    before = books.known_calls()
    request = f"example-{before}"
    text = curl(example.command, demo, "-H", f"X-Request-ID: {request}")
    assert example.holds(text), text
    assert books.known_calls() == before + example.entries
    assert eventually(lambda: books.open_holds() == 0)
    rows = (
        eventually(lambda: [row for row in books.ledger("") if row.request_id == request])
        if example.entries
        else []
    )
    assert [(row.status, row.tenant, row.provider) for row in rows] == [
        ("settled", example.tenant, "echo")
    ] * example.entries


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_every_alias_answers(demo: WebProcess, alias: str) -> None:
    body = json.dumps({"model": alias, "prompt": "hello"})
    assert told(curl(f"curl http://localhost:8000/api/v1/generate -d '{body}'", demo))["text"] == "hello"


def test_the_echo_stands_in_for_providers_and_says_so(demo: WebProcess) -> None:
    for provider in ("ollama", "openai", "anthropic", "bedrock", "grok", "auto"):
        body = json.dumps({"prompt": "hello", "provider": provider})
        assert told(curl(f"curl http://localhost:5055/query -d '{body}'", demo))["provider"] == "echo"


def test_a_hundred_tenants_are_made_at_most(demo: WebProcess, home: Path) -> None:
    """Those of the examples above are among them."""
    body = '{"prompt": "hello"}'
    statuses = [
        curl_status(f"curl http://localhost:5055/query -H 'X-Tenant-ID: tenant-{number}' -d '{body}'", demo)
        for number in range(101)
    ]
    assert statuses[0] == 200
    assert statuses[-1] == 403
    assert set(statuses) == {200, 403}


def curl_status(command: str, demo: WebProcess) -> int:
    """The status alone."""
    words = shlex.split(ADDRESS.sub(demo.url, command))
    quiet = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "15"]
    return int(subprocess.run([*words, *quiet], capture_output=True, text=True, check=True).stdout)
