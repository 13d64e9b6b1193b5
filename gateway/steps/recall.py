"""Step 4: an answer that is there already, of the same bytes or of a prompt that means the same.

It stands before the books are asked, so that a call which is answered so holds no more than a request.
"""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
from msgspec.structs import replace

from gateway.caching.kept import Kept, Label, kept_of, open_kept, seal_kept, seal_label
from gateway.caching.keys import Key, key_of
from gateway.caching.plan import Plan
from gateway.caching.remembered import Remembered
from gateway.caching.values import Stored
from gateway.caching.wishes import BY_POLICY, bypass_of, terms_of
from gateway.call import CacheWish, Call, Outcome
from gateway.errors import GatewayError
from gateway.ids import uuid7
from gateway.plain import embeddings_ask, read_vectors
from gateway.ports import Cache, Clock, Meanings, Vault
from gateway.tab import Tab

ANSWER_AT_MOST = 1 << 20
"""Bytes; a longer answer is not kept."""
LEAD_SECONDS = 10.0
"""How long one process is waited for that finds the answer to what many ask."""
LOOK_EVERY = 0.1
MEANS_WITHIN = 5.0
"""Seconds that the vector of a prompt may take; without it only the same bytes are found."""
_LONG = 256 * 1024
"""Bytes that are hashed, or packed, off the loop."""
_REMEMBERED_BYTES = 16 * 1024 * 1024
"""Of answers that were opened, those that came again lately."""

Run = Callable[[Call], Awaitable[Outcome]]

logger = logging.getLogger(__name__)

_vector = msgspec.json.Decoder(list[float])


class Recall:
    """Finds answers, and keeps them."""

    def __init__(
        self,
        *,
        cache: Cache,
        meanings: Meanings | None,
        vault: Vault,
        clock: Clock,
        run: Run,
        is_under_way: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.answer_at_most = ANSWER_AT_MOST
        self._cache = cache
        self._meanings = meanings
        self._vault = vault
        self._clock = clock
        self._run = run
        self._is_under_way = is_under_way
        self._keeping: set[asyncio.Task[None]] = set()
        self._opened: Remembered[bytes, Kept] = Remembered(_REMEMBERED_BYTES)

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self._cache.is_on

    async def look(self, tab: Tab) -> Kept | None:
        """What is kept for a call; and what will be to keep is noted on its tab."""
        plan = tab.plan
        if plan is None:
            plan = tab.plan = await self._planned(tab)
        if plan is None:
            return None
        if not plan.terms.reads:
            tab.note("cache", "bypass", "asked_anew")
            return None
        tab.cache = "miss"
        kept, how = await self._find(tab, plan), "exact"
        if kept is None:
            kept, how = await self._find_alike(tab, plan), "by_meaning"
        if kept is None:
            tab.note("cache", "miss")
            return None
        tab.cache = "hit"
        tab.note("cache", "hit", how)
        return kept

    async def _planned(self, tab: Tab) -> Plan | None:
        """What the cache is to be asked; nothing where it has no part in the call."""
        policy, ask = tab.principal.policy, tab.call.ask
        terms = terms_of(ask, tab.call.origin, policy, is_on=self.is_on)
        if terms is None:
            if self._cache.is_on:
                _note_bypass(tab)
            return None
        key = await _key(tab, by_meaning=bool(policy.semantic_model and self._meanings))
        if key is None:
            tab.bypass = "cannot_be_compared"
            return None
        return Plan(ask, key, terms)

    def close(self, tab: Tab) -> None:
        """Keep the answer, if one came that is worth it. Nobody waits for that but who asks the same."""
        plan = tab.plan
        if plan is None:
            return
        kept = self._worth_keeping(tab, plan)
        if kept is not None or plan.leads:
            task = asyncio.ensure_future(self._keep(tab, plan, kept))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def drain(self) -> None:
        """Wait until all is kept."""
        while self._keeping:
            await asyncio.wait(self._keeping)

    async def _find(self, tab: Tab, plan: Plan) -> Kept | None:
        """By the same bytes; what another process is about to find is waited for, within bounds."""
        until = self._clock.monotonic()
        lead_seconds = 0.0
        if plan.terms.keeps and not tab.call.ask.stream:
            lead_seconds = min(LEAD_SECONDS, (tab.call.origin.timeout or 2 * LEAD_SECONDS) / 2)
            until += lead_seconds
        while True:
            tenant, key = tab.principal.tenant_id, plan.key.exact
            found = await self._cache.find(tenant, key, lead_seconds=lead_seconds)
            plan.leads = found.leads and lead_seconds > 0
            if found.answer is not None:
                return await self._open(found.answer, tenant, key)
            if found.leads or self._is_under_way(key) or self._clock.monotonic() + LOOK_EVERY > until:
                return None
            await self._clock.sleep(LOOK_EVERY)

    async def _find_alike(self, tab: Tab, plan: Plan) -> Kept | None:
        """By what the prompt means, in the same conversation and with the same parameters."""
        key, policy, tenant = plan.key, tab.principal.policy, tab.principal.tenant_id
        if self._meanings is None or not (policy.semantic_model and key.text):
            return None
        plan.vector = await self._meaning(tab, policy.semantic_model, key.text)
        if plan.vector is None:
            return None
        near = await self._meanings.nearest(tenant, key.space, plan.vector)
        if near is None or near.cosine < policy.semantic_threshold:
            return None
        found = await self._cache.find(tenant, near.key)
        return None if found.answer is None else await self._open(found.answer, tenant, near.key)

    async def _meaning(self, tab: Tab, model: str, text: str) -> list[float] | None:
        """A call of its own of the same key: it is held, counted and paid for, and may be refused."""
        origin, ask = tab.call.origin, tab.call.ask
        call = Call(
            id=uuid7(),
            ask=embeddings_ask(ask.dialect, text, model=model, end_user=ask.end_user),
            origin=replace(
                origin,
                idempotency_key="",
                cache=CacheWish(),
                timeout=min(origin.timeout or MEANS_WITHIN, MEANS_WITHIN),
            ),
            started=self._clock.monotonic(),
        )
        try:
            vectors = read_vectors((await self._run(call)).reply.body)
            return _vector.decode(vectors[0]) if vectors else None
        except GatewayError as error:
            logger.warning("what a prompt means could not be asked: %s", error.code)
        except msgspec.MsgspecError:
            logger.warning("what a prompt means could not be read")
        return None

    async def _open(self, sealed: bytes, tenant: UUID, key: str) -> Kept | None:
        """What is sealed, if it is this tenant's and was kept under this key."""
        kept = self._opened.get(sealed)
        if kept is None:
            kept = await self._unsealed(sealed)
            if kept is not None:
                self._opened.put(sealed, kept, len(sealed) + len(kept.events) + len(kept.reply.body))
        return kept if kept is not None and (kept.key, kept.tenant) == (key, tenant) else None

    async def _unsealed(self, sealed: bytes) -> Kept | None:
        try:
            if len(sealed) > _LONG:
                return await asyncio.to_thread(open_kept, sealed, self._vault)
            return open_kept(sealed, self._vault)
        except (
            GatewayError,
            msgspec.MsgspecError,
            zlib.error,
            ValueError,
        ):  # of a lost key or another version
            logger.warning("a kept answer could not be read")
            return None

    def _worth_keeping(self, tab: Tab, plan: Plan) -> Kept | None:
        """Answers that are whole, settled, of the model itself, and to the very ask that the key is of."""
        entry, reply, deployment = tab.entry, tab.reply, tab.served
        if not plan.terms.keeps or tab.call.ask is not plan.ask:
            return None
        if entry is None or entry.status != "settled" or reply is None:
            return None
        if deployment is None or deployment not in tab.model.deployments:
            return None
        recording = tab.recording
        if recording is not None and not recording.is_whole:
            return None
        events = b"" if recording is None else bytes(recording.events)
        if len(events) + len(reply.body) > self.answer_at_most:
            return None
        return kept_of(
            reply,
            events,
            tenant=entry.tenant_id,
            key=plan.key.exact,
            usage=entry.meters,
            deployment=deployment,
            charge_nano=entry.charge_nano,
        )

    async def _keep(self, tab: Tab, plan: Plan, kept: Kept | None) -> None:
        tenant, key = tab.principal.tenant_id, plan.key
        if kept is None:
            await self._cache.release(tenant, key.exact)
            return
        label = Label(tab.call.ask.end_user, tab.model.name, key.exact)
        stored = Stored(
            answer=await self._sealed(kept),
            label=seal_label(label, self._vault),
            saved_nano=kept.charge_nano,
            seconds=plan.terms.seconds,
        )
        await self._cache.keep(tenant, key.exact, stored)
        if self._meanings is not None and plan.vector is not None:
            seconds = plan.terms.seconds
            await self._meanings.keep(tenant, key.space, key.exact, plan.vector, seconds=seconds)

    async def _sealed(self, kept: Kept) -> bytes:
        if len(kept.events) + len(kept.reply.body) > _LONG:
            return await asyncio.to_thread(seal_kept, kept, self._vault)
        return seal_kept(kept, self._vault)


def _note_bypass(tab: Tab) -> None:
    """Why the cache has no part in it; what the policy alone says of so many is no reason to keep it."""
    ask, origin, policy = tab.call.ask, tab.call.origin, tab.principal.policy
    why = bypass_of(ask, origin, policy)
    if why in BY_POLICY:
        tab.bypass = why
    else:
        tab.note("cache", "bypass", why)


async def _key(tab: Tab, *, by_meaning: bool) -> Key | None:
    ask, tenant, model = tab.call.ask, tab.principal.tenant_id, tab.model.name
    if len(ask.body) > _LONG:
        return await asyncio.to_thread(key_of, ask, tenant=tenant, model=model, by_meaning=by_meaning)
    return key_of(ask, tenant=tenant, model=model, by_meaning=by_meaning)
