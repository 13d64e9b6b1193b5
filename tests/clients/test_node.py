"""What people call a gateway with from JavaScript works as against OpenAI and Anthropic themselves."""

import json
from collections.abc import Sequence

from tests.clients.commands import noded
from tests.clients.contract import STATUSES, Embeddings, Schemas, Streams, Tools
from tests.clients.runs import ANTHROPIC
from tests.support.processes import ROOT


class TestOpenAI(Streams, Tools, Schemas, Embeddings):
    @classmethod
    def command(cls) -> Sequence[str]:
        return noded("openai")


class TestAnthropic(Streams, Tools, Schemas):
    face = ANTHROPIC

    @classmethod
    def command(cls) -> Sequence[str]:
        return noded("anthropic")


class TestVercel(Streams, Tools, Schemas, Embeddings):
    errors = dict.fromkeys(STATUSES, "APICallError")

    @classmethod
    def command(cls) -> Sequence[str]:
        return noded("vercel")


def test_every_package_is_pinned_by_hash_and_comes_from_anywhere() -> None:
    locked = json.loads((ROOT / "tests/clients/node/package-lock.json").read_text())["packages"]
    packages = {name: package for name, package in locked.items() if name}
    assert [name for name, package in packages.items() if "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [version for version in locked[""]["dependencies"].values() if not version[0].isdigit()] == []
