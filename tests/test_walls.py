"""What import-linter cannot know: that every package is inside the walls, and what an import really loads."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {"bench", "tests"}
FOREIGN = {"django", "rest_framework", "channels", "celery", "redis", "psycopg", "litellm"}
LOAD_ALL = """
import importlib, json, pkgutil, sys, gateway
for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def test_every_package_is_within_the_walls() -> None:
    walls = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {folder.parent.name for folder in ROOT.glob("*/__init__.py")} - OUTSIDE
    layers = " ".join(walls["contracts"][0]["layers"]).replace("(", " ").replace(")", " ").split()
    assert packages == set(walls["root_packages"])
    assert packages <= set(layers)


def test_the_engine_loads_no_framework_and_litellm_only_when_called() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD_ALL], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert FOREIGN & {name.partition(".")[0] for name in json.loads(loaded)} == set()
