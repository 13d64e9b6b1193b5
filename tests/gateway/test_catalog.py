"""What a name resolves to."""

from uuid import UUID

import pytest

from gateway.catalog import Deployment, Provider, Secret
from gateway.errors import UnknownModel
from gateway.pricing import PriceCard
from tests.support.engine import (
    OTHER_TENANT,
    TENANT,
    make_card,
    make_deployment,
    make_model,
    make_provider,
    make_snapshot,
)


def _cards(provider: Provider, upstream: str, region: str) -> tuple[PriceCard, ...]:
    return (make_card(f"{provider.name} {upstream} {region}"),)


EXACT = make_model(name="gpt-4o")
STAR = make_model(make_deployment("openai", upstream="*", region="eu", cards=()), name="openai/*")
LONGER = make_model(make_deployment("azure", upstream="deployed-*"), name="openai/gpt-*")
SNAPSHOT = make_snapshot(
    EXACT,
    STAR,
    LONGER,
    aliases={"small": "gpt-4o", "mini": "openai/o3", "tiny": "small", "loop": "pool", "pool": "loop"},
    cards_for=_cards,
)


def test_a_name_is_itself_then_an_alias_then_a_pattern() -> None:
    assert SNAPSHOT.resolve("gpt-4o") is EXACT
    assert SNAPSHOT.resolve("small") is EXACT
    assert SNAPSHOT.resolve("mini").name == "openai/o3"


def test_an_alias_may_stand_for_an_alias() -> None:
    assert SNAPSHOT.resolve("tiny") is EXACT


def test_the_longest_pattern_fills_the_star_upstream() -> None:
    (deployment,) = SNAPSHOT.resolve("openai/gpt-5").deployments
    assert (deployment.name, SNAPSHOT.resolve("openai/gpt-5").pattern) == ("azure/deployed-5", "openai/gpt-*")


def test_a_filled_star_has_the_prices_of_its_own_name() -> None:
    (deployment,) = SNAPSHOT.resolve("openai/o3").deployments
    assert [card.version for card in deployment.cards] == ["openai o3 eu"]


@pytest.mark.parametrize("name", ["", "gpt-4", "*", "loop", "openai/\n", "openai/" + "x" * 300])
def test_a_name_of_nothing_is_unknown(name: str) -> None:
    with pytest.raises(UnknownModel) as unknown:
        SNAPSHOT.resolve(name)
    assert unknown.value.param == "model"
    assert len(unknown.value.message) < 300


def test_only_what_is_everyones_or_ones_own_is_reachable() -> None:
    ours, theirs = (make_provider(tenant_id=tenant) for tenant in (TENANT, OTHER_TENANT))
    deployments = [make_deployment(), make_deployment(provider=ours), make_deployment(provider=theirs)]
    model = make_model(*deployments, fallbacks={"any": ("gpt-4o", "gone")})
    snapshot = make_snapshot(model, EXACT)

    def reachable(tenant_id: UUID) -> list[Deployment]:
        return [one for each in snapshot.reachable(model, tenant_id) for one in each.deployments]

    assert reachable(TENANT) == [*deployments[:2], *EXACT.deployments]
    assert reachable(OTHER_TENANT) == [deployments[0], deployments[2], *EXACT.deployments]


def test_a_secret_is_shown_to_nobody() -> None:
    provider = make_provider(secret=Secret("sk-made-up"))
    assert "sk-made-up" not in f"{provider!r} {provider!s} {provider.secret}"
    assert provider.secret is not None
    assert provider.secret.reveal() == "sk-made-up"
