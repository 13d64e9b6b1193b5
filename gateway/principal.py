"""Who calls, with everything the engine needs to know of them."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from gateway.accounts import Account
from gateway.pricing import Terms


class Checks(Struct, frozen=True, kw_only=True, gc=False):
    """What answers are checked for before they are given; each level has those before it in it.

    `basic`: that something is said, and that it is JSON where JSON was asked for. `standard`: that it keeps
    to the schema. `strict`: that it is whole, and nothing of it was withheld.
    """

    level: Literal["off", "basic", "standard", "strict"] = "off"
    forbidden: tuple[str, ...] = ()
    """Words that no answer may have, in whatever case."""
    repairs: bool = True
    """Whether the model is asked once more, and told what was wrong."""


class Policy(Struct, frozen=True, kw_only=True, gc=False):
    """What a tenant has decided for its calls."""

    tags: tuple[str, ...] = ()
    books_away: Literal["refuse", "allow"] = "refuse"
    """Whether calls go on while the books cannot be reached, to be counted afterwards."""
    over_budget: Literal["refuse", "clamp"] = "refuse"
    """Whether an answer whose longest does not fit the budget is cut to what does."""
    cache: Literal["off", "deterministic", "all"] = "deterministic"
    """Which answers may be given again."""
    cache_seconds: int = 3600
    shares: bool = False
    """Whether identical calls under way are made once even where no answer is kept."""
    semantic_model: str = ""
    """The embedding model that finds prompts which mean the same; empty finds the same bytes alone."""
    semantic_threshold: float = 0.95
    """The cosine from which two prompts mean the same."""
    queue_seconds: float = 0.0
    """How long a call waits for a place before it is refused."""
    queue_length: int = 100
    """Most calls of the tenant that wait at once."""
    prompt_cache: Literal["off", "auto"] = "off"
    """Whether providers are asked to keep what prompts begin with."""
    prompt_cache_seconds: int = 300
    """For how long, where they let us choose."""
    checks: Checks = Checks()


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
    """Of a platform key: what it may do for the tenants that it acts for. Of a tenant's: for its tenant."""
    priority: int = 0
    """Of its tenant's waiting calls those with the higher number go first."""
    revision: int = 0
    """The configuration's, when this was read."""


class EndUser(Struct, frozen=True, kw_only=True, gc=False):
    """A person behind an app, as the app names them."""

    id: UUID
    accounts: tuple[Account, ...] = ()
    blocked: bool = False
