"""The price book in the admin: dollars in, picodollars kept, nothing edited."""

from datetime import timedelta

import pytest
from django.utils import timezone

from providers.models import Price
from tests import factories
from tests.support.pages import address, errors, operator, shown_fields, submit

pytestmark = pytest.mark.django_db
ADD = "providers_price_add"


@pytest.mark.parametrize(
    ("meter", "amount", "pico", "told"),
    [
        ("input", "0.15", 150_000, "$0.15 per million tokens"),
        ("cache_read", "0.01875", 18_750, "$0.01875 per million tokens"),
        ("output", "75", 75_000_000, "$75.00 per million tokens"),
        ("reasoning", "0", 0, "$0.00 per million tokens"),
        ("audio_out", "0.000001", 1, "$0.000001 per million tokens"),
        ("image", "0.04", 40_000_000_000, "$0.04 per image"),
        ("request", "0.000000000001", 1, "$0.000000000001 per request"),
        ("search", "0.01", 10_000_000_000, "$0.01 per search"),
        ("audio_second", "0.0001", 100_000_000, "$0.0001 per second of audio"),
    ],
)
def test_dollars_are_kept_exactly_and_told_again(meter: str, amount: str, pico: int, told: str) -> None:
    client = operator()
    answer = submit(client, address(ADD), model="gpt-4o-mini", meter=meter, amount=amount)
    assert answer.status_code == 302
    price = Price.objects.get()
    assert (price.pico_per_unit, price.meter) == (pico, meter)
    for path in (address("providers_price_changelist"), address("providers_price_change", price.pk)):
        assert told in client.get(path).content.decode()


@pytest.mark.parametrize(
    ("meter", "amount", "said"),
    [
        ("input", "0.0000001", "At most 6 digits"),
        ("image", "0.0000000000001", "At most 12 digits"),
        ("input", "-1", "zero or more"),
        ("image", "9223373", "at most nine million"),
        ("input", "cheap", "Write a number"),
    ],
)
def test_what_a_picodollar_cannot_hold_is_refused(meter: str, amount: str, said: str) -> None:
    answer = submit(operator(), address(ADD), model="gpt-4o-mini", meter=meter, amount=amount)
    assert said in errors(answer)
    assert not Price.objects.exists()


def test_a_price_is_superseded_from_its_own_page() -> None:
    client, tenant, provider = operator(), factories.make_tenant(), factories.make_provider()
    old = factories.make_price(provider=provider, tenant=tenant, context_above=200_000, region="eu")
    form = client.get(address("providers_price_supersede", old.pk), follow=True)
    fields = shown_fields(form.content.decode())
    assert fields["amount"] == "0.15"
    path = form.redirect_chain[-1][0]
    assert client.post(path, fields | {"amount": "0.2"}).status_code == 302
    old.refresh_from_db()
    new = Price.objects.get(valid_until=None)
    assert (new.pico_per_unit, new.valid_from) == (200_000, old.valid_until)
    terms = ("model", "meter", "side", "provider", "tenant", "context_above", "region")
    assert [getattr(new, term) for term in terms] == [getattr(old, term) for term in terms]
    assert client.get(address("providers_price_supersede", old.pk)).status_code == 403


def test_a_price_may_begin_later_and_not_earlier() -> None:
    client, old = operator(), factories.make_price()
    later = timezone.now().replace(microsecond=0) + timedelta(days=3)
    terms = {"model": old.model, "meter": old.meter, "amount": "0.2"}
    past = submit(client, address(ADD), **terms, valid_from_0="2026-01-02", valid_from_1="00:00:00")
    assert "now or later" in errors(past)
    moment = {"valid_from_0": f"{later:%Y-%m-%d}", "valid_from_1": f"{later:%H:%M:%S}"}
    assert submit(client, address(ADD), **terms, **moment).status_code == 302
    old.refresh_from_db()
    assert old.valid_until == later == Price.objects.get(valid_until=None).valid_from
    page = client.get(address("providers_price_changelist")).content.decode()
    assert "holds" in page
    assert "upcoming" in page


def test_what_the_book_refuses_is_said_on_the_form() -> None:
    client, old = operator(), factories.make_price()
    terms = {"model": old.model, "meter": old.meter}
    assert "holds already" in errors(submit(client, address(ADD), **terms, amount="0.15"))
    later = timezone.now() + timedelta(days=3)
    factories.make_price("output", valid_from=later)
    early = {"valid_from_0": f"{timezone.now() + timedelta(days=1):%Y-%m-%d}", "valid_from_1": "00:00:00"}
    answer = submit(client, address(ADD), model=old.model, meter="output", amount="7", **early)
    assert "The price begins at" in errors(answer)
    closed = factories.make_price("search", valid_until=later)
    answer = submit(client, address(ADD), model=old.model, meter="search", amount="7")
    assert "may not overlap" in errors(answer)
    assert Price.objects.filter(meter="search").get() == closed
    assert Price.objects.count() == 3


def test_a_price_is_neither_edited_nor_deleted() -> None:
    client, price = operator(), factories.make_price()
    before = list(Price.objects.values())
    change = address("providers_price_change", price.pk)
    assert shown_fields(client.get(change).content.decode()).keys() & {"amount", "model", "meter"} == set()
    assert client.post(change, {"amount": "7", "model": "other"}).status_code == 403
    assert client.post(address("providers_price_delete", price.pk), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": str(price.pk), "post": "yes"}
    client.post(address("providers_price_changelist"), bulk)
    assert list(Price.objects.values()) == before


def test_a_price_is_ended_after_a_question() -> None:
    client, price = operator(), factories.make_price()
    path = address("providers_price_end", price.pk)
    assert "refused for want of a price" in client.get(path).content.decode()
    assert Price.objects.get().valid_until is None
    assert client.post(path).status_code == 302
    assert client.post(path).status_code == 403
    listed = address("providers_price_changelist")
    assert "Nothing here yet" in client.get(listed).content.decode()
    assert price.model in client.get(listed, {"validity": "ended"}).content.decode()
