"""An answer as it is kept: what was said, who said it, and what that did cost; packed small and sealed."""

import re
import zlib
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.call import Reply, Usage
from gateway.catalog import Deployment
from gateway.ports import Vault

_NOT_AN_ANSWER = re.compile(
    rb'"(?:finish_reason|stop_reason|reason)"\s*:\s*"(?:content_filter|error|refusal|recitation|safety)"'
)
"""Ends of answers that another try may do better. In a text of the model's the quotes are escaped."""


class Kept(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """All that is told to whoever gets the answer again."""

    tenant: UUID
    key: str
    reply: Reply
    events: bytes
    """Of a stream, but for what waits for the ledger."""
    usage: Usage
    provider_id: UUID
    provider: str
    deployment_id: UUID
    deployment: str
    charge_nano: int


class Label(Struct, frozen=True, array_like=True, gc=False):
    """What an answer is called: by whoever caused it first, its model, and its key."""

    user: str
    model: str
    key: str

    @property
    def name(self) -> str:
        """As patterns see it."""
        return f"{self.user or NOBODY}_{self.model}_{self.key}"


NOBODY = "anonymous"

_encode = msgspec.msgpack.Encoder().encode
_kept = msgspec.msgpack.Decoder(Kept).decode
_label = msgspec.msgpack.Decoder(Label).decode


def kept_of(
    reply: Reply,
    events: bytes,
    *,
    tenant: UUID,
    key: str,
    usage: Usage,
    deployment: Deployment,
    charge_nano: int,
) -> Kept | None:
    """What is to be kept of an answer; nothing of one that is none."""
    if reply.status != 200 or reply.empty or any(map(_NOT_AN_ANSWER.search, (events, reply.body))):
        return None
    return Kept(
        tenant=tenant,
        key=key,
        reply=msgspec.structs.replace(reply, headers={}, texts=()),
        events=events,
        usage=usage,
        provider_id=deployment.provider.id,
        provider=deployment.provider.name,
        deployment_id=deployment.id,
        deployment=deployment.name,
        charge_nano=charge_nano,
    )


def seal_kept(kept: Kept, vault: Vault) -> bytes:
    """Packed and encrypted."""
    return vault.seal(zlib.compress(_encode(kept), 1))


def open_kept(sealed: bytes, vault: Vault) -> Kept:
    """What was kept; it says for which tenant, and under which key."""
    return _kept(zlib.decompress(vault.open(sealed)))


def seal_label(label: Label, vault: Vault) -> bytes:
    """Encrypted: names of users are nobody's business."""
    return vault.seal(_encode(label))


def open_label(sealed: bytes, vault: Vault) -> Label:
    """What an answer is called."""
    return _label(vault.open(sealed))
