"""How the programs of the clients are run, each with packages of its own."""

import atexit
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.processes import ROOT, bare

_CLIENTS = ROOT / ".venv/clients/bin/python"
_PROGRAMS = "tests.clients.programs"
_NODE = ROOT / "tests/clients/node"
_WANTED = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_SECONDS = 120.0


def apart(program: str, *arguments: str) -> Sequence[str]:
    """With the packages of requirements-clients.txt, whatever the gateway itself runs with."""
    if not _CLIENTS.exists():
        pytest.skip("these clients were not called: they are not installed, `make setup` does it")
    return (str(_CLIENTS), "-m", f"{_PROGRAMS}.{program}", *arguments)


def beside(program: str, *arguments: str) -> Sequence[str]:
    """With the packages of the gateway."""
    return (sys.executable, "-m", f"{_PROGRAMS}.{program}", *arguments)


def noded(program: str) -> Sequence[str]:
    """With Node."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("the clients for Node were not called: there is no node and npm on this machine")
    return (node, str(_workplace() / f"{program}.mjs"))


@cache
def _workplace() -> Path:
    """The programs beside their packages: there Node looks for them, and the sources' folder stays clean."""
    place = Path(tempfile.mkdtemp(prefix="gateway-node-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for program in _NODE.glob("*.mjs"):
        shutil.copy(program, place)
    (place / "node_modules").symlink_to(_packages() / "node_modules")
    return place


def _packages() -> Path:
    """Installed once for each lock file, and whole or not at all; from then on no network is needed."""
    lock = sha256((_NODE / "package-lock.json").read_bytes()).hexdigest()
    kept = ROOT / ".venv" / f"node-{lock[:12]}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="node-", dir=ROOT / ".venv") as folder:
            made = Path(folder, "made")
            made.mkdir()
            _install(made)
            if not kept.exists():
                made.rename(kept)
    return kept


def _install(place: Path) -> None:
    for name in _WANTED:
        shutil.copy(_NODE / name, place)
    try:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts"],
            cwd=place,
            env=bare({}),
            capture_output=True,
            check=True,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as failed:
        told = failed.stderr.decode(errors="replace")[-500:]
        pytest.skip(f"the clients for Node were not called: npm cannot install them: {told}")
    except subprocess.TimeoutExpired:
        pytest.skip(f"the clients for Node were not called: npm took over {_INSTALL_SECONDS:.0f} s")
