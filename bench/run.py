"""The gateway beside a bare pass-through, in one run on one machine: `make bench`.

1. A stub provider for each of the two, so that the gateway's bill is its own.
2. The bare pass-through and the gateway, pinned to one core; stubs and load on another.
3. Rounds that alternate between the two, over plain and streamed calls at 1 and 32 connections, and
   calls that the cache answers.
4. The table of medians, memory, and the proof that ledger, provider's bill and calls sent agree.

    python -m bench.run [--quick] [--rounds 3] [--seconds 4] [--spread] [--bare-only]
                        [--redis URL --database URL]
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.gateway import DOOR, Installation, install, prove, running
from bench.processes import BenchError, Process, cores, cpu_seconds, resident_mb, run, server
from bench.report import Case, Sample, table

CASES = [Case(connections=count, stream=stream) for stream in (False, True) for count in (1, 32)]
CASES.append(Case(connections=32, again=True))
WARMUP_SECONDS = 0.5


@dataclass(kw_only=True, frozen=True)
class Subject:
    """A server to measure, the stub behind it, and the key it asks for."""

    process: Process
    stub: Process
    key: str = "bench"
    installation: Installation | None = None


@dataclass(kw_only=True)
class Bench:
    """The set-up of one run and what it has measured."""

    asked: argparse.Namespace
    folder: Path
    stack: contextlib.ExitStack
    subjects: list[Subject] = field(default_factory=list)
    samples: dict[tuple[Case, str], list[Sample]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        first, second = cores()
        arguments = ["-m", "bench.stub", *(["--spread"] if self.asked.spread else [])]
        stub = self.serve("stub", arguments, core=second, ready="/bill")
        upstream = ["-m", "bench.passthrough", "--upstream", stub.origin]
        self.subjects.append(Subject(process=self.serve("bare", upstream, core=first, ready="/"), stub=stub))
        if self.asked.bare_only:
            return
        stub = self.serve("gateway-stub", arguments, core=second, ready="/bill")
        made = install(self.folder / "home", stub, connections(self.asked))
        log = self.folder / "gateway.log"
        gateway = self.stack.enter_context(running(made, core=first, helpers=second, log=log))
        self.subjects.append(Subject(process=gateway, stub=stub, key=made.key, installation=made))

    def serve(self, name: str, arguments: list[str], *, core: int | None, ready: str) -> Process:
        log = self.folder / f"{name}.log"
        return self.stack.enter_context(server(name, arguments, core=core, ready=ready, log=log))

    def measure(self) -> None:
        for number in range(self.asked.rounds):
            for case in CASES:
                for subject in self.subjects:
                    say(f"round {number + 1} of {self.asked.rounds}: {case.name} on {subject.process.name}")
                    sample = self.sample(subject, case)
                    self.samples.setdefault((case, subject.process.name), []).append(sample)

    def sample(self, subject: Subject, case: Case) -> Sample:
        server_before, stub_before = cpu_seconds(subject.process.pid), cpu_seconds(subject.stub.pid)
        outcome = json.loads(run(self.load(subject, case), core=cores()[1]))
        server_cpu = cpu_seconds(subject.process.pid) - server_before
        helpers = cpu_seconds(subject.stub.pid) - stub_before + outcome["cpu_seconds"]
        if outcome["errors"]:
            raise BenchError(f"{outcome['errors']} calls failed, the first with: {outcome['first_error']}")
        name = subject.process.name
        self.sent[name] = self.sent.get(name, 0) + outcome["total"]
        return Sample(
            calls_per_second=outcome["calls_per_second"],
            p50_ms=outcome["p50_ms"],
            p99_ms=outcome["p99_ms"],
            cpu_us=1e6 * server_cpu / outcome["total"],
            busy=helpers / (self.asked.seconds + WARMUP_SECONDS),
        )

    def load(self, subject: Subject, case: Case) -> list[str]:
        options = {
            "--url": subject.process.origin + DOOR,
            "--key": subject.key,
            "--connections": str(case.connections),
            "--seconds": str(self.asked.seconds),
            "--warmup": str(WARMUP_SECONDS),
        }
        flat = [word for option in options.items() for word in option]
        return [
            "-m",
            "bench.load",
            *flat,
            *(["--stream"] if case.stream else []),
            *(["--again"] if case.again else []),
        ]

    def report(self) -> None:
        print(table(self.samples))
        for subject in self.subjects:
            print(f"{subject.process.name}: {resident_mb(subject.process.pid):.0f} MB resident")
            if subject.installation is not None:
                print(prove(subject.installation, subject.stub, self.sent[subject.process.name]))


def connections(asked: argparse.Namespace) -> Mapping[str, str]:
    named = {"REDIS_URL": asked.redis, "DATABASE_URL": asked.database}
    return {name: url for name, url in named.items() if url}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The gateway beside a bare pass-through.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s")
    parser.add_argument("--spread", action="store_true", help="the stub sends a stream's chunks one by one")
    parser.add_argument("--bare-only", action="store_true", help="measure the pass-through alone")
    parser.add_argument("--redis", metavar="URL", help="books on this Redis instead of embedded ones")
    parser.add_argument("--database", metavar="URL", help="ledger in this database instead of SQLite")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.seconds = 1, 2.0
    return asked


def main() -> None:
    asked = options()
    if cores()[0] is None:
        say("no second core to pin to: the figures will disturb each other")
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            bench = Bench(asked=asked, folder=Path(folder), stack=stack)
            bench.start()
            bench.measure()
            bench.report()
    except BenchError as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
