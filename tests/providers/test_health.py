"""What processes tell each other of breakers: alike in memory and on each database."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import pytest

from gateway.ids import uuid7
from gateway.memory import MemorySigns
from gateway.signs import Key, Sign
from providers.health import health_claim, health_close, health_heard, health_report, health_tell
from providers.models import Deployment, Health
from tests.factories import make_deployment, make_model, make_provider
from tests.support.clock import BEGIN, FakeClock

REST = 60.0

pytestmark = pytest.mark.django_db


class Told(Protocol):
    """The port, asked without waiting."""

    def tell(self, sign: Sign) -> int: ...
    def heard(self, within: float) -> Sequence[Sign]: ...
    def claim(self, key: Key, rest: float) -> bool: ...


class InMemory:
    """The twin in memory."""

    def __init__(self) -> None:
        self._signs = MemorySigns(FakeClock())

    def tell(self, sign: Sign) -> int:
        return asyncio.run(self._signs.tell(sign))

    def heard(self, within: float) -> Sequence[Sign]:
        return asyncio.run(self._signs.heard(within))

    def claim(self, key: Key, rest: float) -> bool:
        return asyncio.run(self._signs.claim(key, rest))


class InDatabase:
    """The rows."""

    tell = staticmethod(health_tell)
    heard = staticmethod(health_heard)
    claim = staticmethod(health_claim)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def told(request: pytest.FixtureRequest) -> Told:
    if request.param == "memory":
        return InMemory()
    request.getfixturevalue("postgresql" if request.param == "postgresql" else "db")
    return InDatabase()


def _deployment() -> Deployment:
    return make_deployment(make_model(), make_provider())


@pytest.fixture
def key(told: Told) -> Key:
    identifier = uuid7() if isinstance(told, InMemory) else UUID(str(_deployment().pk))
    return identifier, "m"


def _opened(key: Key, rest: float = REST, **fields: Any) -> Sign:
    return Sign(key=key, is_open=True, rest=rest, opened_at=BEGIN, **fields)


def test_what_was_opened_is_heard_with_its_rest(told: Told, key: Key) -> None:
    version = told.tell(_opened(key, by="probe", detail="provider_timeout"))
    (sign,) = told.heard(0.0)
    assert (sign.key, sign.is_open, sign.opened_at, sign.version) == (key, True, BEGIN, version)
    assert (sign.by, sign.detail) == ("probe", "provider_timeout")
    assert REST - 5 < sign.rest <= REST


def test_each_telling_has_a_higher_version(told: Told, key: Key) -> None:
    closed = Sign(key=key, is_open=False)
    versions = [told.tell(sign) for sign in (_opened(key), closed, _opened(key), _opened(key))]
    assert versions == sorted(set(versions))
    assert versions[0] > 0


def test_what_was_closed_lately_is_heard(told: Told, key: Key) -> None:
    told.tell(_opened(key))
    told.tell(Sign(key=key, is_open=False))
    assert [sign.is_open for sign in told.heard(10.0)] == [False]


def test_what_was_closed_long_ago_is_not(told: Told, key: Key) -> None:
    told.tell(Sign(key=key, is_open=False))
    assert told.heard(-1.0) == []


def test_each_model_of_a_star_has_a_state_of_its_own(told: Told, key: Key) -> None:
    told.tell(_opened(key))
    told.tell(Sign(key=(key[0], "other"), is_open=False))
    assert {sign.key[1]: sign.is_open for sign in told.heard(10.0)} == {"m": True, "other": False}


def test_one_has_the_probe_until_it_reports(told: Told, key: Key) -> None:
    told.tell(_opened(key, rest=-1.0))
    assert [told.claim(key, REST) for _ in range(3)] == [True, False, False]
    told.tell(_opened(key, rest=-1.0))
    assert told.claim(key, REST)


def test_a_probe_that_never_reports_is_anothers_in_time(told: Told, key: Key) -> None:
    told.tell(_opened(key, rest=-1.0))
    assert [told.claim(key, -1.0) for _ in range(2)] == [True, True]


@pytest.mark.parametrize("is_open", [True, False])
def test_there_is_no_probe_of_what_rests_or_is_well(told: Told, key: Key, is_open: bool) -> None:
    told.tell(_opened(key) if is_open else Sign(key=key, is_open=False))
    assert not told.claim(key, REST)


def test_what_nobody_knows_of_is_for_whoever_asks(told: Told, key: Key) -> None:
    assert told.claim(key, REST)


def _row() -> Health:
    return Health.objects.get()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("upstream", ["m", "m" * 201])
def test_what_has_no_place_is_not_told_of(upstream: str, request: pytest.FixtureRequest) -> None:
    if len(upstream) > 200:  # SQLite takes any length
        request.getfixturevalue("postgresql")
    deployment_id = uuid7() if upstream == "m" else _deployment().pk
    assert health_tell(_opened((deployment_id, upstream))) == 0


def _report(deployment: Deployment, ok: bool, **fields: Any) -> None:
    health_report(deployment=deployment, upstream="m", ok=ok, **fields)


@pytest.mark.usefixtures("each_database")
def test_an_ill_report_opens_and_a_good_one_closes() -> None:
    deployment = _deployment()
    _report(deployment, ok=False, latency_ms=900, detail="503")
    (sign,) = health_heard(0.0)
    assert (sign.is_open, sign.by, sign.detail) == (True, "probe", "503")
    assert (_row().latency_ms, _row().source) == (900, "probe")
    _report(deployment, ok=True, latency_ms=12)
    assert [sign.is_open for sign in health_heard(10.0)] == [False]
    assert (_row().latency_ms, _row().detail) == (12, "")


@pytest.mark.usefixtures("each_database")
def test_a_good_report_of_what_is_well_is_no_news() -> None:
    deployment = _deployment()
    _report(deployment, ok=True, latency_ms=5)
    version = _row().version
    _report(deployment, ok=True, latency_ms=7)
    assert (_row().version, _row().latency_ms, _row().status) == (version, 7, "closed")


@pytest.mark.usefixtures("each_database")
def test_an_operator_closes_all_that_is_open_of_a_deployment() -> None:
    deployment = _deployment()
    for upstream in ("a", "b"):
        health_tell(_opened((deployment.pk, upstream)))
    health_close(deployment=deployment, by="operator")
    assert {(sign.is_open, sign.by) for sign in health_heard(10.0)} == {(False, "operator")}


@pytest.mark.usefixtures("each_database")
def test_a_look_is_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        health_heard(10.0)
