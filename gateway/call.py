"""The values that travel through the engine: frozen, keyword-only, free of any framework."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from msgspec import Raw, Struct

Kind = Literal["chat", "embedding", "image", "speech", "transcription", "moderation", "rerank", "count"]
Status = Literal["settled", "failed", "refunded", "unsettled", "cached"]
Members = dict[str, Raw]
JSON = "application/json"


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Disjoint meters: nothing is counted in two of them.

    `image` counts pictures, `image_in` and `image_out` tokens of pictures. What a provider reports under
    a name that nobody here knows is `unknown_in` or `unknown_out` where it is part of the prompt or the
    answer, and plain `unknown` where it stands beside them.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image: int = 0
    request: int = 0
    search: int = 0
    audio_second: int = 0
    image_in: int = 0
    image_out: int = 0
    unknown_in: int = 0
    unknown_out: int = 0
    unknown: int = 0
    doubtful: bool = False
    """No meter: the provider's figures made no sense somewhere, or contradicted each other."""

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, its cached part included: what context tiers are judged by."""
        written = self.cache_write_5m + self.cache_write_1h
        return self.input + self.cache_read + written + self.audio_in + self.image_in + self.unknown_in

    @property
    def tokens(self) -> int:
        """What token limits count."""
        answer = self.output + self.reasoning + self.audio_out + self.image_out + self.unknown_out
        return self.prompt_tokens + answer


METERS: tuple[str, ...] = tuple(name for name in Usage.__struct_fields__ if name != "doubtful")


class CacheWish(Struct, frozen=True, kw_only=True, gc=False):
    """What a caller says of kept answers: whether they may be read, kept, and for how long."""

    reads: bool = True
    keeps: bool = True
    seconds: int | None = None
    """Named, it asks for the cache where the policy alone would not."""
    asks: bool = False
    """So does this, for as long as the policy says."""


class Ask(Struct, frozen=True, kw_only=True, gc=False):
    """What a dialect read from a request body; the body and its members keep their bytes as they came."""

    dialect: str
    kind: Kind
    format: str
    model: str
    body: bytes
    members: Members
    stream: bool = False
    wants_usage: bool = True
    end_user: str = ""
    max_output: int | None = None
    choices: int = 1
    operation: str = ""
    """What the provider is asked for, where that is more than the kind says: `completion`, `response`."""
    provider: str = ""
    """The only provider that may answer; empty leaves the choice to the gateway."""
    previous: str = ""
    """The response that this one goes on from."""
    keeps: bool = False
    """Its answer is kept, to be read or gone on from."""
    conversation: str = ""
    """What the caller calls the conversation that this belongs to."""
    media: str = JSON
    """What the body is: a form with a file in it has a boundary of its own."""
    headers: Mapping[str, str] = {}
    """Those of the caller's that are meant for a provider of the same format."""
    cache: CacheWish = CacheWish()
    """What the body says of kept answers."""

    @property
    def task(self) -> str:
        """What a wire finds the provider's address by."""
        return self.operation or self.kind


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """What a carrier knows about a request beside its body."""

    credential: str = ""
    tenant: str = ""
    project: str = ""
    address: str = ""
    request_id: str = ""
    tags: dict[str, str] = {}
    timeout: float | None = None
    idempotency_key: str = ""
    cache: CacheWish = CacheWish()
    priority: int | None = None
    """Among its tenant's waiting calls, instead of its key's."""
    sensitivity: Literal["public", "internal", "confidential"] = "public"


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """One request on its way; its id is also the id of its hold, its entry and its event."""

    id: UUID
    ask: Ask
    origin: Origin
    started: float


class Rate(Struct, frozen=True, kw_only=True, gc=False):
    """How far a quota is used, for the caller's headers."""

    unit: str
    limit: int
    remaining: int
    reset_ms: int


class Event(Struct, frozen=True, gc=False):
    """A piece of a stream, in the bytes of the wire that sent it."""

    data: bytes


class Served(Struct, frozen=True, kw_only=True, gc=False):
    """Who answers a call, known before the first byte goes out, and how far the caller's quotas are used."""

    provider: str
    deployment: str
    model: str
    cache: Literal["hit", "miss", "bypass", "shared"] = "bypass"
    rates: tuple[Rate, ...] = ()
    position: int = 0
    """The furthest back that the call stood in a line; 0 if it stood in none."""
    waited_ms: int = 0


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """What goes back: the whole body, or after a stream the last event that waited for the ledger."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = {}
    usage: Usage | None = None
    counts: bytes = b""
    """The usage as it stands in the body, where the wire knows the place."""
    service_tier: str = ""
    texts: tuple[str, ...] = ()
    """What was said, to be counted here, when the provider did not count."""
    empty: bool = False


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """A call that was answered: the reply, who gave it and what it cost."""

    reply: Reply
    served: Served
    charge_nano: int
    overhead_us: int
    latency_ms: int = 0
    meters: Usage = Usage()
    """What was counted, here if the provider did not."""


class Attempt(Struct, frozen=True, kw_only=True, gc=False):
    """One try at one deployment, as the entry lists it."""

    deployment: str
    outcome: str
    milliseconds: int
    status: int | None = None
    unknown_nano: int = 0
