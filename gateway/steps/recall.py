"""Step 4: an answer that is there already."""

from gateway.call import Call, Reply
from gateway.ports import Cache
from gateway.principal import Principal


async def recall(call: Call, principal: Principal, cache: Cache) -> Reply | None:
    """What the cache keeps for this tenant's call, if it may be asked."""
    if call.ask.stream or not cache.serves(call.ask):
        return None
    return await cache.find(principal.tenant_id, call.ask)
