"""What applying a file does, in operators' words."""

from collections import Counter
from enum import StrEnum

from msgspec import Struct

from providers.configuration.problems import ConfigurationRefused


class Action(StrEnum):
    """What becomes of a thing."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    BLOCKED = "blocked"
    KEPT = "kept"
    UNCHANGED = "unchanged"


class Step(Struct, frozen=True):
    """One thing and what becomes of it; no detail holds a secret."""

    action: Action
    thing: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action:<9} {self.thing}{f': {self.detail}' if self.detail else ''}"


class Issued(Struct, frozen=True):
    """A key that was made up, to be printed this once."""

    owner: str
    name: str
    secret: str

    def __repr__(self) -> str:
        return f"Issued({self.owner}, {self.name})"


class Plan:
    """Steps, notes and problems as they come up; the apply's only memory."""

    def __init__(self, *, prune: bool = False) -> None:
        self.prune = prune
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.issued: list[Issued] = []
        self.problems: list[str] = []

    def add(self, action: Action, thing: str, detail: str = "") -> None:
        """Note what becomes of a thing."""
        self.steps.append(Step(action, thing, detail))

    def note(self, path: str, text: str) -> None:
        """Tell the operator something that is not wrong, but may surprise."""
        self.notes.append(f"{path}: {text}")

    def problem(self, path: str, text: str) -> None:
        """Note what is wrong; in the end nothing is changed."""
        self.problems.append(f"{path}: {text}")

    def refuse_problems(self) -> None:
        """Refuse the file if anything was wrong with it."""
        if self.problems:
            raise ConfigurationRefused(self.problems)

    def counts(self) -> dict[str, int]:
        """How many things each action met."""
        counted = Counter(step.action for step in self.steps)
        return {action.value: counted[action] for action in Action if counted[action]}

    @property
    def changes(self) -> bool:
        """Whether anything is written."""
        return any(step.action not in (Action.KEPT, Action.UNCHANGED) for step in self.steps)
