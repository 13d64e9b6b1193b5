"""A provider goes down and comes up again under load: callers notice nothing, and the bills agree."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.caller import Caller, fresh, hello
from tests.support.crowd import Call, Made, keep_calling
from tests.support.gateway_server import Row
from tests.support.provider_scripts import answer_honestly, fails, fall_silent
from tests.support.provider_stub import ProviderStub, Script
from tests.support.raw_http import exchange, request_bytes
from tests.support.routing_gateways import REST, Routed
from tests.support.small_configurations import CALL_NANO
from tests.support.waiting import eventually

CALLERS = 6
OPEN_EVERYWHERE_WITHIN = 1.0
BACK_WITHIN = REST + 3.0
CALLS_BEFORE = 20

Change = Callable[[ProviderStub, str], None]


@dataclass(frozen=True)
class Trouble:
    """What happens to a provider's model, and how that ends."""

    begin: Change
    end: Change


def _scripted(script: Script) -> Change:
    return lambda stub, name: stub.script(name, script)


TROUBLES = {
    "stops listening": Trouble(lambda stub, _: stub.go_away(), lambda stub, _: stub.come_back()),
    "hangs": Trouble(_scripted(fall_silent), _scripted(answer_honestly)),
    "answers with 500": Trouble(_scripted(fails(500)), _scripted(answer_honestly)),
}
CASES = [*((trouble, "outage-pair") for trouble in TROUBLES), ("stops listening", "outage-mended")]
"""With another deployment of the model, and with another model."""


class Watch:
    """What each process says of the provider."""

    def __init__(self, caller: Caller) -> None:
        self._webs = caller.gateway.webs
        self._asked = request_bytes("GET", "/api/v1/health/detailed", caller.headers())

    def told(self) -> list[bool]:
        """Whether each takes it for well."""
        answers = [exchange(web.port, self._asked).json() for web in self._webs]
        return [answer["providers"]["outage"]["status"] == "healthy" for answer in answers]

    def seconds_until(self, *, is_well: bool, one: bool = False) -> float:
        """How long it takes until all say so, or one of them does."""
        began, enough = time.monotonic(), 1 if one else len(self._webs)
        assert eventually(lambda: self.told().count(is_well) >= enough, within=15.0), self.told()
        return time.monotonic() - began


def _rows(caller: Caller, made: list[Made]) -> list[Row]:
    """The entry of each call, once all are there."""
    names = {one.last.request for one in made}

    def look() -> list[Row] | None:
        rows = [row for row in caller.entries() if row.request_id in names]
        return rows if len(rows) >= len(names) else None

    rows = eventually(look)
    assert rows is not None
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "model"), CASES, ids=lambda given: given)
async def test_an_outage_is_nobodys_trouble(routed_fleet: Routed, trouble: str, model: str) -> None:
    routed, caller, name = routed_fleet, routed_fleet.caller("hurried"), fresh("outage")
    well = name if model == "outage-pair" else "spare"
    watch, over, before = Watch(caller), asyncio.Event(), routed.well.bill(well).calls

    def go_through() -> tuple[float, float]:
        assert routed.ill.wait_for(lambda: len(routed.ill.heard(name)) > CALLS_BEFORE)
        assert all(watch.told())
        TROUBLES[trouble].begin(routed.ill, name)
        watch.seconds_until(is_well=False, one=True)
        opened = watch.seconds_until(is_well=False)
        TROUBLES[trouble].end(routed.ill, name)
        back = watch.seconds_until(is_well=True)
        return opened, back

    def asked() -> Call:
        return Call(name=fresh("call"), caller=caller, model=f"{model}/{name}")

    calling = asyncio.create_task(keep_calling(asked, CALLERS, over))
    try:
        opened, back = await asyncio.to_thread(go_through)
    finally:
        over.set()
    made = await calling
    for web in routed.gateway.webs:
        answer = exchange(web.port, caller.request(hello(f"{model}/{name}")))
        assert (answer.status, answer.header("x-gateway-provider")) == (200, "outage")
    assert Counter(one.last.status for one in made) == {200: len(made)}
    assert opened < OPEN_EVERYWHERE_WITHIN
    assert back < BACK_WITHIN
    rows = _rows(caller, made)
    billed = routed.ill.bill(name).calls - len(routed.gateway.webs) + routed.well.bill(well).calls - before
    unseen = sum(attempt["unknown_nano"] for row in rows for attempt in row.attempts)
    assert {row.status for row in rows} == {"settled"}
    charged = sum(row.charge_nano for row in rows)
    assert charged - unseen == len(made) * CALL_NANO
    assert charged - unseen <= billed * CALL_NANO <= charged  # what was broken off may be billed
    assert {row.provider for row in rows} == {"outage", "well"}
