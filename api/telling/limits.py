"""How far limits and budgets are used, and their windows begun anew."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from api.telling.database import ask_database
from api.telling.desk import Desk, Question
from api.telling.facts import LimitFact, LimitsFact
from api.telling.rights import owner_check
from gateway.accounts import Account
from gateway.principal import EndUser
from gateway.standing import Standing
from tenants.accounts import renewable_accounts
from tenants.principals import end_user_find

_NANO = 1_000_000_000


async def tell_limits(desk: Desk, question: Question) -> LimitsFact:
    """Those of the tenant, the project and the key; and of a user, if one is named."""
    user = question.wishes.get("user_id", "")
    accounts = question.principal.accounts
    if user:
        accounts += await _user_accounts(question, user)
    standings = await desk.books.look(question.principal.tenant_id, accounts)
    cooling = max([one.cooling_until_ms for one in standings], default=0)
    return LimitsFact(
        limits=tuple(_fact(account, one) for account, one in zip(accounts, standings, strict=True)),
        cooldown_until=_seconds(cooling),
        user_id=user or None,
    )


async def reset_limits(desk: Desk, question: Question) -> dict[str, Any]:
    """Begin windows of requests and tokens anew: a user's, or those of the tenant, its projects and keys."""
    principal = question.principal
    owner_check(principal)
    user = question.asked
    accounts: Sequence[Account] = await ask_database(
        renewable_accounts, tenant_id=principal.tenant_id, user_name=user
    )
    return {"limits_reset": await desk.books.reset(principal.tenant_id, accounts), "user_id": user}


async def _user_accounts(question: Question, name: str) -> tuple[Account, ...]:
    """As calls of theirs by this key would be counted; who was never met has counted nothing."""
    principal = question.principal
    user: EndUser | None = await ask_database(end_user_find, principal=principal, name=name)
    if user is not None and user.accounts:
        return user.accounts
    suffix = user.id.hex if user is not None else "nobody"
    return tuple(
        replace(account, id=f"{account.id}:{suffix}", name=name) for account in principal.user_accounts
    )


def _fact(account: Account, standing: Standing) -> LimitFact:
    is_money = account.unit == "nano"
    shown = _dollars if is_money else float
    left = max(0, account.limit - standing.used)
    return LimitFact(
        scope=account.scope,
        name=account.name,
        unit="usd" if account.unit == "nano" else account.unit,
        window=_window(account),
        limit=shown(account.limit),
        used=shown(standing.used),
        remaining=shown(left),
        reset_at=_seconds(standing.ends_ms),
        model=account.model,
    )


def _window(account: Account) -> str:
    if account.length_ms:
        return f"{account.length_ms // 1000} seconds"
    return account.window


def _dollars(nano: int) -> float:
    return nano / _NANO


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds else None
