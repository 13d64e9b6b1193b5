"""What people think of answers, and what becomes of it: whoever is liked better is asked first."""

from collections import OrderedDict
from threading import Lock
from typing import Any

from gateway.errors import FailedValidation
from gateway.sdk.answers import Response
from gateway.sdk.models import Models
from gateway.sdk.traits import UNRATED

DEPLOYMENTS_AT_MOST = 4096
"""Beyond it, who was not rated for longest begins anew."""
_PATIENCE = 2.0
"""Ratings that the first opinion of a deployment counts for: one bad word is not the end of it."""
_REMEMBERED = 200.0
"""From so many ratings on, old ones count for half: who became worse is seen to have."""


class _Rated:
    __slots__ = ("count", "sum", "weight")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.weight = 0.0

    def add(self, score: float) -> None:
        if self.weight >= _REMEMBERED:
            self.sum, self.weight = self.sum / 2, self.weight / 2
        self.count += 1
        self.sum += score
        self.weight += 1

    @property
    def quality(self) -> float:
        return (self.sum + UNRATED * _PATIENCE) / (self.weight + _PATIENCE)


class FeedbackLoop:
    """Ratings by model and deployment, in the memory of this process. Any thread may rate."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._rated: OrderedDict[tuple[str, str], _Rated] = OrderedDict()
        self._lock = Lock()

    def record(self, answer: Response, score: float | bool) -> None:
        """Rate an answer, from 0 to 1; `True` is 1 and `False` is 0."""
        told, name = _checked(score), (answer.model, answer.deployment)
        with self._lock:
            rated = self._rated.setdefault(name, _Rated())
            rated.add(told)
            self._rated.move_to_end(name)
            while len(self._rated) > DEPLOYMENTS_AT_MOST:
                self._rated.popitem(last=False)
            self._models.rate(*name, rated.quality)

    @property
    def count(self) -> int:
        """Ratings so far."""
        with self._lock:
            return sum(one.count for one in self._rated.values())

    @property
    def satisfaction(self) -> float | None:
        """The mean of what is remembered; None without any."""
        with self._lock:
            weight = sum(one.weight for one in self._rated.values())
            return sum(one.sum for one in self._rated.values()) / weight if weight else None

    def scores(self) -> dict[str, dict[str, Any]]:
        """By model and deployment: how often it was rated, and the quality that calls go by."""
        told: dict[str, dict[str, Any]] = {}
        with self._lock:
            for (model, deployment), one in self._rated.items():
                told.setdefault(model, {})[deployment] = {"count": one.count, "quality": one.quality}
        return told


def _checked(score: object) -> float:
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        raise FailedValidation("A score is a number from 0 to 1.", param="score")
    return float(score)
