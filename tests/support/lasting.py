"""The order of files, by which gateways that serve many files need not be kept to the end of the session.

1. files that take long come first, so that no worker is left with one of them while others have no work
2. files that call the same gateways follow each other
3. these gateways end when the first file begins that stands behind: idle processes take time from others
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.gateway_server import GatewayServer

_TESTS = Path(__file__).resolve().parent.parent
_LONG = ("chaos",)
_OWN_GATEWAYS = ("api", "clients", "gateway_project")


def order(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files of a session in their order; those of one rank stay in theirs."""
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(_rank(item), ranks.get(item.path, len(_RANKS)))
    items.sort(key=lambda item: ranks[item.path])
    config.stash[_RANKED] = ranks


@contextmanager
def lent(server: GatewayServer, request: pytest.FixtureRequest) -> Iterator[GatewayServer]:
    """A gateway for one file; it is started again if it has ended, in whichever order files run."""
    if not server.runs:
        server.start()
    config = request.config
    config.stash.setdefault(_LENT, {})[server] = config.stash[_RANKED][request.path]
    yield server


def end_idle(item: pytest.Item) -> None:
    """End what only served files in front of this test's."""
    lent, rank = item.config.stash.get(_LENT, {}), item.config.stash[_RANKED][item.path]
    for server in [server for server, last in lent.items() if last < rank]:
        del lent[server]
        server.stop()


def _rank(item: pytest.Item) -> int:
    folder, fixtures = item.path.relative_to(_TESTS).parts[0], getattr(item, "fixturenames", ())
    return next(rank for rank, is_one in enumerate(_RANKS) if is_one(folder, fixtures))


_RANKS: Sequence[Callable[[str, Sequence[str]], bool]] = (
    lambda folder, fixtures: folder in _LONG,
    lambda folder, fixtures: "routing" in fixtures,
    lambda folder, fixtures: "configuration" in fixtures,
    lambda folder, fixtures: folder in _OWN_GATEWAYS,
    lambda folder, fixtures: True,
)
_RANKED = pytest.StashKey[dict[Path, int]]()
_LENT = pytest.StashKey[dict[GatewayServer, int]]()
