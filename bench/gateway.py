"""The gateway as an installation would run it: migrated, configured from a file, every promise kept.

What is on while it is measured: a tenant's key, limits on requests, tokens and concurrency, a hard budget,
exact prices, screening, and the durable ledger, which is compared with the stub's bill afterwards.
"""

import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.processes import ROOT, BenchError, Process, environment, get, pinned, run, server, stop

DOOR = "/v1/chat/completions"
CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{origin}/v1", keys: [{{name: main, secret: bench}}], security: high}}
models:
  bench: {{deployments: [{{provider: stub, model: bench, weight: 1}}]}}
prices:
  - {{provider: stub, model: bench, input: 0.15, cache_read: 0.075, output: 0.60}}
tenants:
  bench:
    limits: {{rpm: 100000000, tpm: 100000000000, parallel: 10000}}
    budgets: [{{amount: 1000000.00, window: month, hard: true}}]
    keys: [{{name: bench, secret: "{key}", models: [bench], limits: {{rpm: 100000000}}}}]
"""


@dataclass(kw_only=True, frozen=True)
class Ledger:
    """What the ledger says was served; comparable with the stub's bill."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(kw_only=True, frozen=True)
class Installation:
    """A gateway's own home, and the key that opens its door."""

    home: Path
    key: str
    connections: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {"GATEWAY_HOME": str(self.home), **self.connections}


def install(home: Path, upstream: Process, connections: Mapping[str, str]) -> Installation:
    """Make and configure a home; embedded, unless `connections` name DATABASE_URL and REDIS_URL."""
    made = Installation(home=home, key=f"sk-bench-{secrets.token_hex(16)}", connections=connections)
    home.mkdir()
    configuration = home / "gateway.yaml"
    configuration.write_text(CONFIGURATION.format(origin=upstream.origin, key=made.key))
    run(["manage.py", "migrate", "--verbosity", "0"], extra=made.environment)
    run(["manage.py", "apply", str(configuration)], extra=made.environment)
    return made


@contextlib.contextmanager
def running(
    installation: Installation, *, core: int | None, helpers: int | None, log: Path
) -> Iterator[Process]:
    """The web process on a core of its own; distributed, its drainer is with the helpers."""
    arguments = ["manage.py", "serve", "--only", "web", "--workers", "1", "--host", "127.0.0.1"]
    with contextlib.ExitStack() as stack:
        if installation.connections:
            stack.enter_context(draining(installation, core=helpers, log=log.with_name("drain.log")))
        yield stack.enter_context(
            server(
                "gateway",
                arguments,
                core=core,
                ready="/health/ready",
                log=log,
                extra=installation.environment,
            )
        )


@contextlib.contextmanager
def draining(installation: Installation, *, core: int | None, log: Path) -> Iterator[None]:
    with log.open("wb") as output, pinned(core):
        child = subprocess.Popen(
            [sys.executable, "manage.py", "drain"],
            cwd=ROOT,
            env=environment(installation.environment),
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        stop(child)


def prove(installation: Installation, upstream: Process, sent: int) -> str:
    """Compare calls sent, the provider's bill and the ledger; a BenchError on the first difference."""
    bill = json.loads(get(upstream.port, "/bill"))
    billed = Ledger(**{name: bill[name] for name in Ledger.__dataclass_fields__})
    if installation.connections:
        run(["manage.py", "drain", "--once"], extra=installation.environment)
    entered, cached = ledger(installation)
    if billed != entered or billed.calls + cached != sent:
        told = f"{sent} calls sent, billed {billed}, ledger {entered} and {cached} cached"
        raise BenchError(f"the books differ: {told}")
    entries = f"{entered.calls + cached} ledger entries, token for token"
    return f"{sent} calls sent = {billed.calls} billed + {cached} cached = {entries}"


def ledger(installation: Installation) -> tuple[Ledger, int]:
    """What was served by the provider, and how many calls the cache answered."""
    calls = cached = prompt = completion = 0
    command = [sys.executable, "manage.py", "ledger"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(installation.environment), stdout=subprocess.PIPE
    ) as printed:
        assert printed.stdout is not None
        for line in printed.stdout:
            entry = json.loads(line)
            meters = entry["meters"]
            if entry["status"] == "cached":
                cached += 1
                continue
            calls += 1
            prompt += meters.get("input", 0)
            completion += meters.get("output", 0)
    if printed.returncode:
        raise BenchError(f"manage.py ledger failed with {printed.returncode}")
    return Ledger(calls=calls, prompt_tokens=prompt, completion_tokens=completion), cached
