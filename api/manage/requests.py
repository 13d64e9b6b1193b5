"""Why a request was refused or went where it went: its entries, and what processes still know of it."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from rest_framework.request import Request
from rest_framework.response import Response

from api.manage.actors import Actor
from api.manage.entries import EntrySerializer
from api.manage.errors import NothingThere
from api.manage.fields import actor_of
from api.manage.views import RowsView
from api.origin import is_request_id
from api.trying.inside import INSIDE, Inside
from gateway.reasons import FOUND_AT_MOST, KEPT_SECONDS, Reasons, Testimony
from gateway.steps.route import OF_ANOTHER_TENANT
from usage.entries import entries_of_request
from usage.models import LedgerEntry

_NOBODY_KNOWS = (
    "No call of this request id is known. The ledger has admitted calls for good. Why they were refused"
    f" or routed so is known for {KEPT_SECONDS / 60:.0f} minutes, if there are not too many newer ones."
)
_NOBODY = Testimony(is_whole=False)


class Decision(Struct, frozen=True, kw_only=True):
    """Something that was decided of a call: what, where and why."""

    what: str
    where: str
    why: str


class ExplainedCall(Struct, frozen=True, kw_only=True):
    """One call of a request id."""

    id: UUID
    at: str
    tenant: str
    key: str
    model_asked: str
    model: str
    is_kept: bool
    """Whether more is known than its entry tells; if not, what follows is empty."""
    status: int | None = None
    code: str = ""
    candidates: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    attempts: Any = ()
    waited_ms: int | None = None
    position: int | None = None
    cache: str = ""
    entry: dict[str, Any] | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """All that is known of a request id."""

    request_id: str
    calls: tuple[ExplainedCall, ...]
    kept_for: int
    """Seconds for which a process knows more than the entry tells."""
    is_whole: bool
    """All processes were heard."""


class RequestsView(RowsView):
    """Why a request was refused, or went where it went."""

    noun = "entries"
    queryset = LedgerEntry.objects.all()
    serializer_class = EntrySerializer
    tenant_paths = ("tenant_id",)

    def explain(self, request: Request, **_: Any) -> Response:
        """Why the calls of this request id were refused or routed so."""
        self.check_parameters(())
        actor, name = actor_of(request), str(self.kwargs["ref"])
        if not is_request_id(name):
            raise NothingThere(_NOBODY_KNOWS)
        tenants = actor.reach(self.noun)
        testimony = _testimony(request, name, tenants)
        entries = entries_of_request(
            name, tenants=tenants, known=[one.call_id for one in testimony.found], most=FOUND_AT_MOST
        )
        calls = _calls(testimony.found, entries, actor)
        if not calls:
            raise NothingThere(_NOBODY_KNOWS)
        told = Explanation(
            request_id=name, calls=calls, kept_for=round(KEPT_SECONDS), is_whole=testimony.is_whole
        )
        return Response(msgspec.to_builtins(told))


def _testimony(request: Request, name: str, tenants: Collection[UUID] | None) -> Testimony:
    """What processes know; nothing where the gateway does not run in this one."""
    scope: Mapping[str, Any] = getattr(request._request, "scope", {})
    inside = scope.get(INSIDE)
    if not isinstance(inside, Inside) or inside.witnesses is None:
        return _NOBODY
    return inside.wait_for(inside.witnesses.find(name, tenants))


def _calls(
    found: Collection[Reasons], entries: Collection[LedgerEntry], actor: Actor
) -> tuple[ExplainedCall, ...]:
    """The newest calls, each with its entry and its reasons, as far as there are any."""
    reasons = {one.call_id: one for one in found}
    booked = {one.pk: one for one in entries}
    names = sorted(reasons.keys() | booked.keys(), reverse=True)[:FOUND_AT_MOST]
    return tuple(_call(reasons.get(name), booked.get(name), actor) for name in names)


def _call(reasons: Reasons | None, entry: LedgerEntry | None, actor: Actor) -> ExplainedCall:
    told = None if entry is None else dict(EntrySerializer(entry).data)
    if reasons is not None:
        return ExplainedCall(
            id=reasons.call_id,
            at=_moment(reasons.at_ms),
            tenant=reasons.tenant,
            key=reasons.key,
            model_asked=reasons.model_asked,
            model=reasons.model,
            is_kept=True,
            status=reasons.status,
            code=reasons.code,
            candidates=reasons.candidates,
            decisions=_decisions(reasons, actor),
            attempts=msgspec.to_builtins(reasons.attempts),
            waited_ms=reasons.waited_ms,
            position=reasons.position,
            cache=reasons.cache,
            entry=told,
        )
    if told is None:
        raise LookupError("a call is known by its entry or by its reasons")
    names = {name: told[name] for name in ("at", "tenant", "key", "model_asked", "model", "attempts")}
    return ExplainedCall(id=UUID(told["id"]), is_kept=False, entry=told, **names)


def _decisions(reasons: Reasons, actor: Actor) -> tuple[Decision, ...]:
    """What the actor may know of what was decided: neither others' deployments nor the platform's keys."""
    sees_all = actor.reach("entries") is None
    sees_keys = actor.may("provider-keys", "read", None)
    return tuple(
        Decision(
            what=what, where=where if sees_keys or what != "key_rests" else where.partition("/")[0], why=why
        )
        for what, where, why in reasons.notes
        if sees_all or why != OF_ANOTHER_TENANT
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


EXAMPLE: dict[str, Any] = msgspec.to_builtins(
    Explanation(
        request_id="req-1",
        calls=(
            ExplainedCall(
                id=UUID("0198c0de-0000-7000-8000-000000000001"),
                at="2026-01-31T12:00:00Z",
                tenant="acme",
                key="app",
                model_asked="small",
                model="gpt-4o-mini",
                is_kept=True,
                status=200,
                candidates=("azure/gpt-4o-mini", "openai/gpt-4o-mini"),
                decisions=(
                    Decision(what="ordered", where="gpt-4o-mini", why="latency"),
                    Decision(what="skipped", where="azure/gpt-4o-mini", why="breaker_open"),
                ),
                waited_ms=0,
                position=0,
                cache="bypass",
            ),
        ),
        kept_for=round(KEPT_SECONDS),
        is_whole=True,
    )
)
"""An answer as the document of all doors shows it."""
