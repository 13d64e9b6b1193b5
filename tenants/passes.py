"""Passes: how the gateway calls itself for a tenant, where no key of the tenant's is at hand.

A pass stands in the place of a key, is signed, and lives a minute; it is made for one call and never shown
to anybody. What a call with it costs is the tenant's, under all limits that are not a key's own.
"""

import time
from datetime import UTC, datetime
from uuid import UUID

from django.core import signing
from msgspec import Struct

from gateway.errors import Unauthenticated

LIVES_SECONDS = 60
_MARK = "pass:"
_PURPOSE = "tenants.passes"


class Pass(Struct, frozen=True, kw_only=True):
    """For whom, and on whose behalf in the words of the ledger."""

    tenant: UUID
    by: str
    until: datetime


def pass_issue(*, tenant: UUID, by: str) -> str:
    """A pass for the next minute; `by` stands in the ledger for a key: what calls, and no person."""
    told = {"tenant": tenant.hex, "by": by, "until": int(time.time()) + LIVES_SECONDS}
    return _MARK + signing.dumps(told, salt=_PURPOSE)


def is_pass(credential: str) -> bool:
    """Whether this is meant to be one."""
    return credential.startswith(_MARK)


def pass_read(credential: str) -> Pass:
    """What a pass says; whoever lets it in still has to see that its time is not over."""
    try:
        told = signing.loads(credential.removeprefix(_MARK), salt=_PURPOSE)
    except signing.BadSignature as error:
        raise Unauthenticated from error
    until = datetime.fromtimestamp(told["until"], UTC)
    return Pass(tenant=UUID(told["tenant"]), by=told["by"], until=until)
