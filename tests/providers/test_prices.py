"""The price book is superseded, never edited."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from providers.models import Price
from providers.prices import price_close, price_supersede
from tests import factories

pytestmark = pytest.mark.usefixtures("each_database")

BEGIN = factories.PRICES_BEGIN
DAY = timedelta(days=1)


def _refused(**fields: Any) -> bool:
    try:
        with transaction.atomic():
            factories.make_price(**fields)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize(
    "change",
    [
        {"pico_per_unit": 1},
        {"model": "gpt-4o"},
        {"valid_from": BEGIN + DAY},
        {"source": "a better one"},
        {"meter": "output"},
        {"context_above": 200_000},
    ],
)
def test_a_price_is_not_edited_not_even_while_it_is_closed(change: dict[str, Any]) -> None:
    factories.make_price()
    for fields in (change, change | {"valid_until": BEGIN + 2 * DAY}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Price.objects.update(**fields)


def test_the_end_of_a_price_is_set_once() -> None:
    factories.make_price()
    Price.objects.update(valid_until=BEGIN + DAY)
    for moment in (BEGIN + 2 * DAY, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            Price.objects.update(valid_until=moment)
    assert Price.objects.get().valid_until == BEGIN + DAY


def test_a_price_is_not_removed_nor_is_its_provider() -> None:
    provider = factories.make_provider()
    factories.make_price(provider=provider)
    with pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.all().delete()
    with pytest.raises(ProtectedError):
        provider.delete()


def test_prices_do_not_overlap_in_time() -> None:
    factories.make_price(valid_from=BEGIN, valid_until=BEGIN + 10 * DAY)
    assert _refused(valid_from=BEGIN)
    assert _refused(valid_from=BEGIN + 9 * DAY)
    assert _refused(valid_from=BEGIN - DAY)
    assert _refused(valid_from=BEGIN - DAY, valid_until=BEGIN + DAY)
    assert _refused(valid_from=BEGIN + DAY, valid_until=BEGIN + 2 * DAY)
    assert not _refused(valid_from=BEGIN - DAY, valid_until=BEGIN)
    assert not _refused(valid_from=BEGIN + 10 * DAY)
    assert _refused(valid_from=BEGIN + 20 * DAY)


def test_a_bulk_insert_is_watched_row_by_row() -> None:
    rows = [
        Price(model="gpt-4o", meter="input", pico_per_unit=1, valid_from=BEGIN + DAY * day) for day in (0, 1)
    ]
    with pytest.raises(IntegrityError, match="overlap"), transaction.atomic():
        Price.objects.bulk_create(rows)


def test_prices_of_different_conditions_stand_side_by_side() -> None:
    tenant, provider = factories.make_tenant(), factories.make_provider()
    conditions: list[dict[str, Any]] = [
        {},
        {"provider": provider},
        {"tenant": tenant},
        {"tenant": tenant, "provider": provider},
        {"side": "sell"},
        {"context_above": 200_000},
        {"service_tier": "batch"},
        {"region": "eu"},
    ]
    for condition in conditions:
        assert not _refused(**condition)
        assert _refused(**condition)


@pytest.mark.parametrize("fields", [{"pico_per_unit": -1}, {"valid_until": BEGIN - DAY}])
def test_a_price_that_means_nothing_is_refused(fields: dict[str, Any]) -> None:
    assert _refused(**fields)


def test_superseding_closes_the_open_price_and_opens_the_next() -> None:
    first = price_supersede(model="gpt-4o", meter="input", pico_per_unit=150_000, at=BEGIN)
    second = price_supersede(model="gpt-4o", meter="input", pico_per_unit=100_000, at=BEGIN + DAY)
    assert first is not None
    assert second is not None
    first.refresh_from_db()
    assert (first.valid_until, second.valid_from, second.valid_until) == (BEGIN + DAY, BEGIN + DAY, None)
    assert (first.pico_per_unit, second.pico_per_unit) == (150_000, 100_000)


def test_superseding_by_the_same_price_changes_nothing() -> None:
    price_supersede(model="gpt-4o", meter="input", pico_per_unit=150_000, at=BEGIN)
    again = price_supersede(model="gpt-4o", meter="input", pico_per_unit=150_000, source="another list")
    assert again is None
    assert Price.objects.get().valid_until is None


def test_superseding_leaves_other_conditions_alone() -> None:
    provider = factories.make_provider()
    price_supersede(model="gpt-4o", meter="input", pico_per_unit=150_000, at=BEGIN)
    price_supersede(model="gpt-4o", meter="input", pico_per_unit=120_000, provider=provider, at=BEGIN)
    price_supersede(model="gpt-4o", meter="input", pico_per_unit=300_000, context_above=200_000, at=BEGIN)
    assert Price.objects.filter(valid_until=None).count() == 3


def test_a_price_takes_effect_now_unless_told_otherwise() -> None:
    before = timezone.now()
    price = price_supersede(model="gpt-4o", meter="input", pico_per_unit=1)
    assert price is not None
    assert before <= price.valid_from <= timezone.now()


def test_a_price_does_not_end_before_it_begins_but_may_never_hold() -> None:
    mistaken = price_supersede(model="gpt-4o", meter="input", pico_per_unit=1, at=BEGIN)
    assert mistaken is not None
    with pytest.raises(ValidationError, match="begins"):
        price_supersede(model="gpt-4o", meter="input", pico_per_unit=2, at=BEGIN - DAY)
    price_close(price=mistaken, at=BEGIN)
    assert price_supersede(model="gpt-4o", meter="input", pico_per_unit=2, at=BEGIN) is not None


@pytest.mark.parametrize(
    "fields", [{"pico_per_unit": -1}, {"meter": "words"}, {"side": "both"}, {"model": "a b"}]
)
def test_an_odd_price_is_refused_before_anything_changes(fields: dict[str, Any]) -> None:
    price_supersede(model="gpt-4o", meter="input", pico_per_unit=1, at=BEGIN)
    base: dict[str, Any] = {"model": "gpt-4o", "meter": "input", "pico_per_unit": 2}
    with pytest.raises(ValidationError, match=next(iter(fields))):
        price_supersede(**base | fields)
    assert Price.objects.get().valid_until is None
