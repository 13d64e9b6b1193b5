"""How long the chaos lasts, and by which seed: `make test` has the short form, `make chaos` the long one."""

import os
from dataclasses import dataclass
from random import randrange


@dataclass(frozen=True)
class Form:
    """What the environment says; a run is made again with the seed that it told."""

    rounds: int
    """How often all troubles come."""
    seed: int

    @property
    def is_long(self) -> bool:
        """Whether there is time to wait for what takes long."""
        return self.rounds > 1


def read_form() -> Form:
    """The form of this run."""
    rounds = int(os.environ.get("CHAOS_ROUNDS") or 1)
    seed = int(os.environ.get("CHAOS_SEED") or randrange(1_000_000))
    return Form(rounds=rounds, seed=seed)
