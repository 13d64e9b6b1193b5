"""What the mappings of the declarative file are made of: its words, limits and budgets."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

_ZERO = {"pattern": r"\u0000"}
"""No text has this character; said in the document, and seen to where bodies are read."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Rank = Annotated[int, Meta(ge=-1_000, le=1_000)]
Name = Annotated[
    str, Meta(min_length=1, max_length=200, extra_json_schema={"pattern": r"[^\s\u0000]", "not": _ZERO})
]
ModelName = Annotated[
    str,
    Meta(min_length=1, max_length=200, extra_json_schema={"pattern": r"^[^\s*\u0000]*[*]?[^\s*\u0000]*$"}),
]
Secret = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Moment = Annotated[datetime, Meta(tz=True)]
Signed = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Dollars = Decimal
Share = Annotated[
    Decimal,
    Meta(
        extra_json_schema={
            "pattern": "^(0([.][0-9]{1,4})?|1([.]0{1,4})?)$",
            "minimum": 0,
            "maximum": 1,
        }
    ),
]
"""From 0 to 1, with four digits after the point at most."""
Names = tuple[Name, ...]
Cause = Literal["any", "error", "context_length", "content_policy", "budget"]
Strategy = Literal[
    "weighted", "priority", "least_busy", "latency", "price", "quality", "affinity", "sensitivity"
]
Role = Literal["owner", "developer", "finance", "viewer"]
PlatformRole = Literal["operator", "finance"]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the file; fields it does not know are refused."""


class Burst(Part, frozen=True, kw_only=True):
    """A second, shorter window within the requests per minute."""

    calls: Positive
    seconds: Positive


class Limits(Part, frozen=True, kw_only=True):
    """Rates and places of a tenant, project, key or class; burst and cooldown belong to `rpm`."""

    rpm: Count | UnsetType = UNSET
    rph: Count | UnsetType = UNSET
    rpd: Count | UnsetType = UNSET
    tpm: Count | UnsetType = UNSET
    tph: Count | UnsetType = UNSET
    tpd: Count | UnsetType = UNSET
    parallel: Count | UnsetType = UNSET
    burst: Burst | UnsetType = UNSET
    cooldown_seconds: Small | UnsetType = UNSET


class Budget(Part, frozen=True, kw_only=True):
    """At most so many dollars in a window."""

    amount: Dollars
    window: Literal["day", "week", "month", "total"] = "month"
    hard: bool = True
    model: str = ""
    alert_percents: tuple[int, ...] | UnsetType = UNSET
