"""Figures in, a table out: medians over the rounds, the gateway beside the bare pass-through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

RATIO_TARGET = 0.65
ADDED_TARGET_MS = 1.0
AGAIN_TARGET = 1.2
STREAM_TARGET = 1.5
BUSY = 0.9

HEAD = ("", "server", "calls/s", "p50 ms", "p99 ms", "CPU µs/call", "of bare", "added p50", "target")
WIDTHS = (12, 8, 9, 9, 9, 12, 9, 11, 0)


@dataclass(kw_only=True, frozen=True)
class Case:
    """A kind of load."""

    connections: int
    stream: bool = False
    again: bool = False
    """All ask the same, so that the cache answers."""

    @property
    def name(self) -> str:
        return f"{'stream' if self.stream else 'again' if self.again else 'plain'} × {self.connections}"


@dataclass(kw_only=True, frozen=True)
class Sample:
    """One server under one kind of load; `busy` is the share of their core that stub and load took."""

    calls_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    busy: float


Samples = Mapping[tuple[Case, str], Sequence[Sample]]


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure over the rounds."""
    names = Sample.__dataclass_fields__
    return Sample(**{name: median(getattr(sample, name) for sample in samples) for name in names})


def table(samples: Samples) -> str:
    lines = [row(HEAD)]
    bounded = False
    for (case, server), taken in samples.items():
        figures, bare = middle(taken), middle(samples[case, "bare"])
        verdicts = comparison(case, figures, bare) if server != "bare" else ("", "", "")
        bounded |= figures.busy > BUSY
        speed = f"{figures.calls_per_second:,.0f}{'*' if figures.busy > BUSY else ''}"
        cells = (f"{figures.p50_ms:.3f}", f"{figures.p99_ms:.3f}", f"{figures.cpu_us:.0f}")
        lines.append(row((case.name, server, speed, *cells, *verdicts)))
    if bounded:
        lines.append("* stub and load filled their core: compare CPU per call, not calls/s")
    return "\n".join(lines)


def comparison(case: Case, figures: Sample, bare: Sample) -> tuple[str, str, str]:
    """The gateway's share of the bare calls/s, its added p50, and this case's target with its verdict."""
    ratio = figures.calls_per_second / bare.calls_per_second
    added = figures.p50_ms - bare.p50_ms
    return f"{ratio:.0%}", f"{added:+.3f} ms", target(case, figures, bare)


def target(case: Case, figures: Sample, bare: Sample) -> str:
    if case.stream:
        times = figures.cpu_us / bare.cpu_us if bare.cpu_us else 0.0
        return f"CPU ≤ {STREAM_TARGET} × bare: {times:.2f}, {verdict(times <= STREAM_TARGET)}"
    if case.connections == 1:
        met = figures.p50_ms - bare.p50_ms < ADDED_TARGET_MS
        return f"added < {ADDED_TARGET_MS:g} ms: {verdict(met)}"
    share = AGAIN_TARGET if case.again else RATIO_TARGET
    met = figures.calls_per_second >= share * bare.calls_per_second
    return f"≥ {share:.0%} of bare: {verdict(met)}"


def verdict(met: bool) -> str:
    return "met" if met else "missed"


def row(cells: Sequence[str]) -> str:
    first, *rest = zip(cells, WIDTHS, strict=True)
    aligned = [f"{cell:>{width}}" for cell, width in rest[:-1]]
    return f"{first[0]:<{first[1]}}" + "".join(aligned) + f"   {rest[-1][0]}".rstrip()
