"""Who calls, with everything the engine needs to know of them."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from gateway.accounts import Account
from gateway.pricing import Terms


class Policy(Struct, frozen=True, kw_only=True, gc=False):
    """What a tenant has decided for its calls."""

    tags: tuple[str, ...] = ()
    books_away: Literal["refuse", "allow"] = "refuse"
    """Whether calls go on while the books cannot be reached, to be counted afterwards."""
    over_budget: Literal["refuse", "clamp"] = "refuse"
    """Whether an answer whose longest does not fit the budget is cut to what does."""


class Principal(Struct, frozen=True, kw_only=True, gc=False):
    """A key and the tenant it acts for."""

    tenant_id: UUID
    tenant: str
    project_id: UUID | None = None
    project: str = ""
    cost_centre: str = ""
    key_id: UUID | None = None
    key: str = ""
    models: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    """Those of the tenant, the project and the key itself."""
    user_accounts: tuple[Account, ...] = ()
    """Templates: each end user of the key gets counters of its own, unless they have limits by name."""
    terms: Terms = Terms()
    default_models: dict[str, str] = {}
    policy: Policy = Policy()
    roles: tuple[str, ...] = ()
    """Of a platform key: what it may do for the tenants that it acts for."""
    revision: int = 0
    """The configuration's, when this was read."""


class EndUser(Struct, frozen=True, kw_only=True, gc=False):
    """A person behind an app, as the app names them."""

    id: UUID
    accounts: tuple[Account, ...] = ()
    blocked: bool = False
