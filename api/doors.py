"""Every address of the lane: found by an exact dict first, by prefix second."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from api.dialects import openai
from gateway.call import Ask, Outcome
from gateway.catalog import Model
from gateway.errors import GatewayError


class Dialect(Protocol):
    """What each dialect's file provides to carriers."""

    NAME: str

    def render_reply(self, ask: Ask, outcome: Outcome) -> bytes:
        """A whole answer."""

    def render_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error as a body."""

    def render_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error as the last event of a stream."""

    def render_models(self, models: Iterable[Model]) -> bytes:
        """The list of models."""

    def render_model(self, model: Model) -> bytes:
        """One model."""


class Inference(Struct, frozen=True, kw_only=True):
    """A door behind which a model works: it costs, so it is admitted and settled."""

    dialect: Dialect
    parse: Callable[[bytes], Ask]
    method: str = "POST"


class Reading(Struct, frozen=True, kw_only=True):
    """A door that only tells something, and costs nothing."""

    dialect: Dialect
    name: str
    needs_key: bool = True
    method: str = "GET"


Door = Inference | Reading

_OPENAI: Dialect = openai

DOORS: Mapping[str, Door] = {
    "/v1/chat/completions": Inference(dialect=_OPENAI, parse=openai.parse_chat),
    "/v1/embeddings": Inference(dialect=_OPENAI, parse=openai.parse_embeddings),
    "/v1/models": Reading(dialect=_OPENAI, name="models"),
    "/health": Reading(dialect=_OPENAI, name="live", needs_key=False),
    "/health/ready": Reading(dialect=_OPENAI, name="ready", needs_key=False),
}

PREFIXES: Mapping[str, Door] = {"/v1/models/": Reading(dialect=_OPENAI, name="model")}

LANE_ROOTS: Mapping[str, Dialect] = {"/v1/": _OPENAI, "/health": _OPENAI}
"""Below these the lane answers whatever is asked, unknown addresses too."""


def find_door(path: str) -> tuple[Door | None, str]:
    """The door of a path, and what follows the prefix of one that takes a name."""
    door = DOORS.get(path)
    if door is not None:
        return door, ""
    for prefix, named in PREFIXES.items():
        if path.startswith(prefix) and len(path) > len(prefix):
            return named, path[len(prefix) :]
    return None, ""


def dialect_of(path: str) -> Dialect | None:
    """Whose words an unknown address is answered in; None where the lane has nothing to say."""
    door = DOORS.get(path)
    if door is not None:
        return door.dialect
    return next((dialect for root, dialect in LANE_ROOTS.items() if path.startswith(root)), None)
