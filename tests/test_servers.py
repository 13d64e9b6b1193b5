"""The servers that tests run against: named by the environment, found on this machine, or from packages."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from tests.support.nats_server import nats_greeting, own_nats
from tests.support.passage import Passage
from tests.support.ports import free_port
from tests.support.processes import ROOT, bare
from tests.support.servers import NATS, POSTGRESQL, REDIS, Place, known, nats_server, postgresql_address

_END_SECONDS = 20.0
ON_NOTHING_BUT_PACKAGES = """
import json, sys
from dataclasses import replace
from tests.support import servers
for name in ("POSTGRESQL", "REDIS", "NATS"):
    setattr(servers, name, replace(getattr(servers, name), local=sys.argv[1]))
with (
    servers.postgresql_database() as database,
    servers.redis_database() as redis,
    servers.nats_server() as nats,
):
    print(json.dumps({"postgresql": database, "redis": redis, "nats": nats}), flush=True)
    sys.stdin.read()
"""


def postgresql_answers(url: str) -> bool:
    try:
        with closing(psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl())) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def redis_answers(url: str) -> bool:
    try:
        with closing(Redis.from_url(url)) as redis:
            return bool(redis.ping())
    except RedisAway:
        return False


def nats_answers(url: str) -> bool:
    """That it keeps streams is half of the answer."""
    try:
        return bool(nats_greeting(url)["jetstream"])
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A server, where it may be, and how one knows that it is there."""

    place: Place
    answers: Callable[[str], bool]


KINDS = {
    "postgresql": Kind(place=POSTGRESQL, answers=postgresql_answers),
    "redis": Kind(place=REDIS, answers=redis_answers),
    "nats": Kind(place=NATS, answers=nats_answers),
}


def answering(urls: Mapping[str, str]) -> dict[str, bool]:
    """Which of the servers answer."""
    return {name: KINDS[name].answers(url) for name, url in urls.items()}


@contextmanager
def session_on_packages() -> Iterator[dict[str, str]]:
    """The servers of a process that is told of none, and finds none: their URLs by kind."""
    command = [sys.executable, "-c", ON_NOTHING_BUT_PACKAGES, f"none://127.0.0.1:{free_port()}"]
    with subprocess.Popen(
        command, cwd=ROOT, env=bare({}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdin
        assert session.stdout
        yield json.loads(session.stdout.readline())
        session.stdin.close()
        assert session.wait(_END_SECONDS) == 0


@pytest.fixture(scope="module")
def own() -> Iterator[dict[str, str]]:
    with session_on_packages() as urls:
        yield urls


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each server, while the environment names none."""
    name: str = request.param
    for variable in KINDS[name].place.names:
        monkeypatch.delenv(variable, raising=False)
    return name


def test_each_server_of_this_session_answers(postgresql_url: str, redis_url: str, nats_url: str) -> None:
    urls = {"postgresql": postgresql_url, "redis": redis_url, "nats": nats_url}
    assert answering(urls) == dict.fromkeys(KINDS, True)


def test_what_the_environment_names_is_taken_though_another_one_is_here(
    kind: str, own: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = replace(KINDS[kind].place, local=f"none://127.0.0.1:{other.getsockname()[1]}")
        for variable in place.names:
            with monkeypatch.context() as environment:
                environment.setenv(variable, own[kind])
                assert known(place) == own[kind]
        assert known(place) == place.local
    assert KINDS[kind].answers(own[kind])


def test_what_answers_on_this_machine_is_taken(kind: str, own: dict[str, str]) -> None:
    place = KINDS[kind].place
    here = urlsplit(own[kind])
    address = postgresql_address(own[kind]) if kind == "postgresql" else (str(here.hostname), here.port or 0)
    with Passage(address) as passage:
        local = place.local.replace(str(place.address[1]), str(passage.port))
        url = known(replace(place, local=local))
        assert url == local
        assert KINDS[kind].answers(url)


def test_where_nothing_answers_nothing_is_known(kind: str) -> None:
    assert known(nowhere(KINDS[kind].place)) == ""


def test_a_database_in_a_file_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/gateway.sqlite3")
    assert known(nowhere(POSTGRESQL)) == ""


def test_servers_from_packages_end_with_the_session() -> None:
    with session_on_packages() as urls:
        assert answering(urls) == dict.fromkeys(KINDS, True)
        folder = Path(postgresql_folder(urls["postgresql"]))
        assert folder.exists()
    assert answering(urls) == dict.fromkeys(KINDS, False)
    assert not folder.exists()


def nowhere(place: Place) -> Place:
    """The same on a machine that has none."""
    return replace(place, local=f"none://127.0.0.1:{free_port()}")


def postgresql_folder(url: str) -> str:
    """A server from the package listens in the folder that it keeps its data in."""
    return urlsplit(url).query.removeprefix("host=")


def test_a_nats_server_without_streams_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_nats(tmp_path, "--jetstream=false") as url:
        monkeypatch.setenv("NATS_URL", url)
        with pytest.raises(AssertionError, match="keeps no streams"), nats_server():
            raise AssertionError("it was taken")
