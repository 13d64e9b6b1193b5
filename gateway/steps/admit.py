"""Step 2: what the call may use, what it can cost at worst, and whether its accounts can bear that."""

from msgspec.structs import replace

from gateway.accounts import LARGEST_AMOUNT, Account, Amounts, Hold, Refusal
from gateway.bounds import Bound, bound_of
from gateway.call import Ask, Call, Rate
from gateway.catalog import Model, Snapshot, unknown_model
from gateway.entry import Entry, bound_line
from gateway.errors import (
    BudgetExceeded,
    ConcurrencyLimited,
    Forbidden,
    GatewayError,
    InvalidRequest,
    RateLimited,
    Unbounded,
    Unpriced,
)
from gateway.extents import extent_of
from gateway.once import claim_of
from gateway.patterns import matches
from gateway.principal import EndUser, Principal
from gateway.tab import Tab

_LONGEST_RETRY = 31 * 86_400.0
"""Seconds: what a budget without an end tells callers, since somebody may raise it."""

_SERVED_BY = {"speech": "audio", "transcription": "audio", "count": "chat"}
"""The kind of model for a kind of call, where they are not called alike."""

_NO_TAGS: dict[str, str] = {}

_REFUSALS: dict[str, type[GatewayError]] = {
    "requests": RateLimited,
    "tokens": RateLimited,
    "concurrency": ConcurrencyLimited,
    "nano": BudgetExceeded,
}


def open_tab(
    call: Call, principal: Principal, end_user: EndUser | None, snapshot: Snapshot, now: float
) -> Tab:
    """Whom the call is for, what it may use and who bears it; nothing is held yet."""
    if call.ask.provider:
        call = _with_provider(call, principal, snapshot)
    model = choose_model(call, principal, snapshot)
    return Tab(
        call,
        principal,
        snapshot.reachable(model, principal.tenant_id),
        model,
        accounts_of(principal, end_user, model),
        round(now * 1000),
        None if end_user is None else end_user.id,
    )


def worst_hold(tab: Tab) -> Hold:
    """All that a provider's answer can cost, to be set aside before one is asked."""
    call, principal = tab.call, tab.principal
    bound = bound_of(extent_of(call.ask), tab.models, principal.terms, tab.at_ms)
    nano = _affordable(bound, tab.accounts, clamps=principal.policy.over_budget == "clamp")
    return Hold(
        id=call.id,
        accounts=tab.accounts,
        amounts=amounts_of(bound, nano),
        revision=principal.revision,
        claim=claim_of(call, principal.tenant_id) if call.origin.idempotency_key else None,
        skeleton=skeleton_of(tab, nano),
    )


def choose_model(call: Call, principal: Principal, snapshot: Snapshot) -> Model:
    """The model asked for, or the one that calls without a name get; only if the key may use it."""
    ask = call.ask
    name = ask.model or _default_model(ask, principal, snapshot)
    if not name:
        raise InvalidRequest("Name a model: there is no default for this kind of call.", param="model")
    model = snapshot.resolve(name)
    if not may_use(principal, model, name):
        raise unknown_model(name)
    if not _serves(model, ask.kind):
        raise InvalidRequest(f"The model '{model.name}' does not serve {ask.kind} calls.", param="model")
    if ask.provider and all(one.provider.name != ask.provider for one in model.deployments):
        told = f"The provider '{ask.provider}' does not serve the model '{model.name}'."
        raise InvalidRequest(told, param="provider")
    return model


def _with_provider(call: Call, principal: Principal, snapshot: Snapshot) -> Call:
    """The same, naming the provider that really answers to the name, which may be the one that stands in."""
    name = snapshot.provider(call.ask.provider, principal.tenant_id).name
    return replace(call, ask=replace(call.ask, provider=name))


def _default_model(ask: Ask, principal: Principal, snapshot: Snapshot) -> str | None:
    """The provider's if one was named and it has one of this kind, else the tenant's, else the platform's."""
    if ask.provider:
        name = snapshot.default_of(snapshot.provider(ask.provider, principal.tenant_id))
        model = snapshot.find(name) if name else None
        if model is not None and _serves(model, ask.kind):
            return name
    kind = "chat" if ask.kind == "count" else ask.kind
    return principal.default_models.get(kind) or snapshot.defaults.get(kind)


def _serves(model: Model, kind: str) -> bool:
    return model.kind == _SERVED_BY.get(kind, kind) or bool(model.pattern)


def may_use(principal: Principal, model: Model, name: str) -> bool:
    """Whether a key is allowed a model by either name, and anything is there that serves its tenant."""
    owners = (None, principal.tenant_id)
    if not any([deployment.provider.tenant_id in owners for deployment in model.deployments]):
        return False
    allowed = principal.models
    if not allowed or name in allowed or model.name in allowed:
        return True
    return any(matches(pattern, one) for pattern in allowed for one in (name, model.name))


def accounts_of(principal: Principal, end_user: EndUser | None, model: Model) -> tuple[Account, ...]:
    """The counters a call moves: of its tenant, project, key, end user, and those for its model alone."""
    accounts = principal.accounts
    if end_user is not None:
        if end_user.blocked:
            raise Forbidden("This end user is blocked.", param="user")
        accounts += end_user.accounts or tuple(
            replace(account, id=f"{account.id}:{end_user.id.hex}") for account in principal.user_accounts
        )
    if not any([account.model for account in accounts]):
        return accounts
    return tuple(account for account in accounts if not account.model or matches(account.model, model.name))


def refuse(refusal: Refusal) -> GatewayError:
    """The error for an account that said no: it is named, and so is when to come back."""
    account = refusal.account
    window = f" per {account.window}" if account.window not in ("none", "total") else ""
    of_what = {"nano": "budget", "concurrency": "limit of concurrent calls"}.get(
        account.unit, f"limit of {account.unit}"
    )
    scope = account.scope.replace("_", " ")
    message = f"The {of_what}{window} of {scope} '{account.name}' is used up."
    error = _REFUSALS[account.unit](message, retry_after=min(refusal.retry_ms / 1000, _LONGEST_RETRY))
    if account.unit in ("requests", "tokens"):
        left, reset_ms = refusal.remaining, refusal.retry_ms
        error.rates = (Rate(unit=account.unit, limit=account.limit, remaining=left, reset_ms=reset_ms),)
    return error


def amounts_of(bound: Bound, nano: int) -> Amounts:
    """What a call within these bounds takes."""
    return Amounts(requests=1, tokens=(bound.input or 0) + (bound.output or 0), concurrency=1, nano=nano)


def _affordable(bound: Bound, accounts: tuple[Account, ...], *, clamps: bool) -> int:
    """What to hold. An answer without an end asks for all there is, where it may be cut to what is left."""
    if bound.priced and bound.charge_nano is not None:
        return min(bound.charge_nano, LARGEST_AMOUNT)
    hard = [account.hard for account in accounts if account.unit == "nano"]
    if hard and not bound.priced:
        raise Unpriced
    if bound.charge_nano is None and any(hard):
        if not clamps or bound.input is None:
            raise Unbounded
        return LARGEST_AMOUNT
    return min(bound.charge_nano or 0, LARGEST_AMOUNT)


def skeleton_of(tab: Tab, nano: int) -> Entry:
    """The entry of a call of which nobody knows what it came to: it stands at this."""
    call, principal = tab.call, tab.principal
    return Entry(
        id=call.id,
        at_ms=tab.at_ms,
        request_id=call.origin.request_id,
        tenant_id=principal.tenant_id,
        tenant=principal.tenant,
        project_id=principal.project_id,
        project=principal.project,
        cost_centre=principal.cost_centre,
        key_id=principal.key_id,
        key=principal.key,
        end_user_id=tab.end_user_id,
        dialect=call.ask.dialect,
        kind=call.ask.kind,
        status="unsettled",
        model_asked=call.ask.model,
        model=tab.model.name,
        provider_id=None,
        provider="",
        deployment_id=None,
        deployment="",
        cost_nano=nano,
        charge_nano=nano,
        lines=(bound_line(nano),) if nano else (),
        estimated=True,
        tags=_allowed_tags(call, principal) if call.origin.tags else _NO_TAGS,
    )


def _allowed_tags(call: Call, principal: Principal) -> dict[str, str]:
    allowed = principal.policy.tags
    return {name: value for name, value in call.origin.tags.items() if not allowed or name in allowed}
