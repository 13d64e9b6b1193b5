"""Operators hold a deployment's breaker open, close it, or leave it to itself."""

import pytest

from gateway.signs import Sign
from providers.health import health_heard, health_tell
from providers.models import Deployment
from tests import factories
from tests.api.manage.hands import Hand, operator

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def hand() -> Hand:
    return operator()


@pytest.fixture
def deployment() -> Deployment:
    return factories.make_deployment(factories.make_model(), factories.make_provider())


def _open(deployment: Deployment, upstream: str = "m") -> None:
    now = deployment.created_at.timestamp()
    health_tell(Sign(key=(deployment.pk, upstream), is_open=True, rest=60.0, opened_at=now))


def test_a_breaker_is_held_open_until_it_is_taken_back(hand: Hand, deployment: Deployment) -> None:
    path = f"deployments/{deployment.pk}"
    assert hand.get(path)["breaker"] == "closed"
    assert hand.post(f"{path}/breaker", state="open")["breaker"] == "held open"
    assert hand.get("deployments")["data"][0]["held_open"] is True
    assert hand.post(f"{path}/breaker", state="auto")["breaker"] == "closed"


@pytest.mark.parametrize("state", ["closed", "auto"])
def test_only_closing_ends_what_opened_it(hand: Hand, deployment: Deployment, state: str) -> None:
    for upstream in ("a", "b"):
        _open(deployment, upstream)
    told = hand.post(f"deployments/{deployment.pk}/breaker", state=state)
    is_closed = state == "closed"
    assert told["breaker"] == ("closed" if is_closed else "open")
    assert (told["breaker_closed_at"] is not None) is is_closed
    assert [sign.is_open for sign in health_heard(60.0)] == [not is_closed] * 2


def test_closing_takes_back_what_held_it_open(hand: Hand, deployment: Deployment) -> None:
    hand.post(f"deployments/{deployment.pk}/breaker", state="open")
    assert hand.post(f"deployments/{deployment.pk}/breaker", state="closed")["held_open"] is False


@pytest.mark.parametrize("body", [{}, {"state": "half_open"}, {"state": "open", "for": 60}])
def test_other_words_are_refused(hand: Hand, deployment: Deployment, body: dict[str, object]) -> None:
    hand.refused("POST", f"deployments/{deployment.pk}/breaker", body)
