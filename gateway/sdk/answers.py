"""What a script gets back."""

from decimal import Decimal
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from gateway.call import Outcome
from gateway.plain import Counts, counts_of, read_text, read_vectors

_object = msgspec.json.Decoder(dict[str, Any])


class Response(BaseModel):
    """What every answer has."""

    model_config = ConfigDict(frozen=True)

    model: str
    deployment: str
    """Who answered, as `host/model`."""
    usage: dict[str, int]
    cost: Decimal
    """Dollars, to the last nano-dollar."""
    priced: bool
    """Whether the model has a price here; without one a cost of 0 says nothing."""


class GenerateResponse(Response):
    """A text."""

    text: str
    finish_reason: str | None
    raw_response: dict[str, Any]


class EmbedResponse(Response):
    """Vectors, in the order of their texts."""

    embeddings: list[list[float]]


class HealthCheckResult(BaseModel):
    """How a gateway is, part by part."""

    model_config = ConfigDict(frozen=True)

    status: Literal["healthy", "degraded", "unhealthy"]
    details: dict[str, Any]


def dollars(nano: int) -> Decimal:
    """Nano-dollars as dollars."""
    return Decimal(nano).scaleb(-9)


def read_generated(outcome: Outcome, *, model: str, priced: bool) -> GenerateResponse:
    """The answer to a prompt."""
    body = outcome.reply.body
    said = read_text(body)
    return GenerateResponse(
        text=said.text,
        finish_reason=said.finish_reason,
        raw_response=_object.decode(body),
        model=model,
        deployment=outcome.served.deployment,
        usage=_usage(outcome, said.counts),
        cost=dollars(outcome.charge_nano),
        priced=priced,
    )


def read_embedded(outcome: Outcome, *, model: str, priced: bool) -> EmbedResponse:
    """The vectors of some texts."""
    return EmbedResponse(
        embeddings=[msgspec.json.decode(vector) for vector in read_vectors(outcome.reply.body)],
        model=model,
        deployment=outcome.served.deployment,
        usage=_usage(outcome, None),
        cost=dollars(outcome.charge_nano),
        priced=priced,
    )


def _usage(outcome: Outcome, counts: Counts | None) -> dict[str, int]:
    return msgspec.structs.asdict(counts_of(counts, outcome.meters))
