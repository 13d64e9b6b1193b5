"""Providers in the admin: secrets go in and never come out."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from providers.admin.provider import ProviderKeyForm
from providers.models import Alias, Deployment, Model, Provider, ProviderKey, Route
from tenants.secrets import secret_resolve, secret_seal
from tests import factories
from tests.support.pages import address, errors, operator, submit

pytestmark = pytest.mark.django_db
SECRET = "sk-a-provider-secret-of-some-length-abcd"


def pages(client: Any, provider: Provider) -> str:
    """Everything that the admin shows of a provider."""
    paths = [
        address("providers_provider_changelist"),
        address("providers_provider_change", provider.pk),
        address("providers_provider_history", provider.pk),
        address("providers_provider_delete", provider.pk),
        address("index"),
    ]
    return "".join(client.get(path).content.decode() for path in paths)


def test_a_provider_is_made_with_its_secret_encrypted() -> None:
    client = operator()
    answer = submit(
        client,
        address("providers_provider_add"),
        {"keys": [{"name": "main", "secret": SECRET, "rpm": "500"}]},
        name="openai",
        base_url="https://api.openai.com/v1",
    )
    assert answer.status_code == 302
    key = ProviderKey.objects.get()
    assert SECRET not in key.secret
    assert secret_resolve(reference=key.secret) == SECRET
    shown = pages(client, key.provider)
    assert "Stored, ends in …abcd" in shown
    assert SECRET not in shown
    assert key.secret not in shown
    assert SECRET not in str(list(LogEntry.objects.values()))


def test_an_empty_secret_keeps_what_is_stored_and_a_new_one_replaces_it() -> None:
    client, provider = operator(), factories.make_provider()
    path = address("providers_provider_change", provider.pk)
    submit(client, path, {"keys": [{"name": "main", "secret": SECRET}]})
    stored = ProviderKey.objects.get().secret
    assert submit(client, path, **{"keys-0-name": "renamed"}).status_code == 302
    key = ProviderKey.objects.get()
    assert (key.name, key.secret, key.last_four) == ("renamed", stored, "abcd")
    submit(client, path, **{"keys-0-secret": f"{SECRET}-wxyz"})
    key = ProviderKey.objects.get()
    assert (secret_resolve(reference=key.secret), key.last_four) == (f"{SECRET}-wxyz", "wxyz")


def test_a_form_with_an_error_does_not_give_the_secret_back() -> None:
    client, provider = operator(), factories.make_provider()
    path = address("providers_provider_change", provider.pk)
    answer = submit(client, path, {"keys": [{"name": "", "secret": SECRET}]})
    assert "required" in errors(answer)
    assert SECRET not in answer.content.decode()
    assert "required" in errors(submit(client, path, {"keys": [{"name": "main"}]}))
    assert not ProviderKey.objects.exists()


def test_references_stay_readable_and_say_what_they_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, provider = operator(), factories.make_provider()
    path = address("providers_provider_change", provider.pk)
    file = tmp_path / "secret"
    monkeypatch.delenv("OPENAI_KEY_OF_TEST", raising=False)
    rows = [{"name": "env", "secret": "env:OPENAI_KEY_OF_TEST"}, {"name": "file", "secret": f"file:{file}"}]
    assert submit(client, path, {"keys": rows}).status_code == 302
    file.write_text(SECRET)
    assert [key.secret for key in ProviderKey.objects.all()] == [row["secret"] for row in rows]
    shown = pages(client, provider)
    assert "Read from env:OPENAI_KEY_OF_TEST, where nothing is found" in shown
    assert f"Read from file:{file}." in shown
    assert SECRET not in shown


def test_an_envelope_is_taken_only_if_it_opens() -> None:
    client, provider = operator(), factories.make_provider()
    path = address("providers_provider_change", provider.pk)
    foreign = secret_seal(plain=SECRET, purpose="something else")
    answer = submit(client, path, {"keys": [{"name": "main", "secret": foreign}]})
    assert "made for another use" in errors(answer)
    own = secret_seal(plain=SECRET)
    submit(client, path, {"keys": [{"name": "main", "secret": own}]})
    assert ProviderKey.objects.get().secret == own


@pytest.mark.parametrize("secret", ["env:SECRET_KEY", "file:/etc/passwd", "g1:1:AAAA"])
def test_only_operators_refer_to_the_gateways_own_secrets(secret: str) -> None:
    form = ProviderKeyForm({"name": "main", "provider": factories.make_provider().pk, "secret": secret})
    assert not ProviderKeyForm.operator
    assert "references are for operators" in str(form.errors)


def test_a_wire_that_needs_an_address_says_so() -> None:
    answer = submit(operator(), address("providers_provider_add"), name="openai")
    assert "needs an address" in errors(answer)


def test_a_model_is_made_with_deployments_and_fallbacks_in_order() -> None:
    provider = factories.make_provider()
    factories.make_model("gemma3:12b")
    Alias.objects.create(name="small", target="gemma3:12b")
    routes = [{"cause": "any", "target": "small"}, {"cause": "any", "target": "gemma3:12b"}]
    answer = submit(
        operator(),
        address("providers_model_add"),
        {
            "deployments": [{"provider": provider.pk, "upstream_model": "gpt-4o-mini"}],
            "routes": [*routes, {"cause": "error", "target": "small"}],
        },
        name="gpt-4o-mini",
        capabilities="vision\ntools",
    )
    assert answer.status_code == 302
    model = Model.objects.get(name="gpt-4o-mini")
    assert (model.capabilities, Deployment.objects.get().model) == (["vision", "tools"], model)
    placed = [(route.cause, route.target, route.position) for route in Route.objects.all()]
    assert placed == [("any", "small", 0), ("any", "gemma3:12b", 1), ("error", "small", 0)]


def test_a_model_says_how_its_deployments_are_chosen() -> None:
    client, model, provider = operator(), factories.make_model(), factories.make_provider()
    path = address("providers_model_change", model.pk)
    said = {
        "strategy": "sensitivity",
        "sticky": "conversation",
        "hedge": "on",
        "batch_size": "64",
        "batch_ms": "20",
        "connect_timeout_ms": "",
        "first_byte_timeout_ms": "250",
        "idle_timeout_ms": "",
        "total_timeout_ms": "900000",
    }
    runs = {"provider": provider.pk, "upstream_model": "m", "quality": "0.875", "held_open": "on"}
    assert submit(client, path, {"deployments": [runs]}, **said).status_code == 302
    model.refresh_from_db()
    assert (model.strategy, model.sticky, model.hedge) == ("sensitivity", "conversation", True)
    assert (model.batch_size, model.batch_ms) == (64, 20)
    assert (model.connect_timeout_ms, model.first_byte_timeout_ms) == (None, 250)
    deployment = Deployment.objects.get()
    assert (deployment.quality, deployment.held_open) == (8_750, True)
    rows = [list(table.objects.values()) for table in (Model, Deployment)]
    assert submit(client, path).status_code == 302
    assert [list(table.objects.values()) for table in (Model, Deployment)] == rows
    assert submit(client, path, **{"deployments-0-quality": ""}).status_code == 302
    assert Deployment.objects.get().quality is None
    assert "Write 1 or less" in errors(submit(client, path, **{"deployments-0-quality": "9"}))


def test_a_fallback_without_a_position_goes_behind_the_others() -> None:
    model = factories.make_model()
    factories.make_model("openai/*")
    Route.objects.create(model=model, target="openai/gpt-4o", position=7)
    path = address("providers_model_change", model.pk)
    assert submit(operator(), path, {"routes": [{"target": "openai/o3"}]}).status_code == 302
    assert list(Route.objects.values_list("target", "position")) == [("openai/gpt-4o", 7), ("openai/o3", 8)]


def test_names_that_lead_nowhere_or_round_are_refused() -> None:
    client, model = operator(), factories.make_model()
    path = address("providers_alias_add")
    nowhere = submit(client, path, name="small", target="nothing")
    assert "No model, alias or pattern answers to nothing" in errors(nowhere)
    assert "a model&#x27;s own name wins" in errors(submit(client, path, name=model.name, target=model.name))
    assert submit(client, path, name="small", target=model.name).status_code == 302
    assert submit(client, path, name="tiny", target="small").status_code == 302
    small = Alias.objects.get(name="small")
    round_trip = submit(client, address("providers_alias_change", small.pk), target="tiny")
    assert "lead back to itself" in errors(round_trip)
    routed = submit(client, address("providers_model_change", model.pk), {"routes": [{"target": "nothing"}]})
    assert "No model, alias or pattern" in errors(routed)


def test_every_page_opens_and_says_what_it_is_for_when_empty() -> None:
    client = operator()
    for table in ("provider", "model", "alias", "price"):
        assert "Nothing here yet" in client.get(address(f"providers_{table}_changelist")).content.decode()
    model, provider = factories.make_model(), factories.make_provider()
    factories.make_deployment(model, provider)
    assert "1 deployment" in client.get(address("providers_model_changelist")).content.decode()
    for row in (model, provider):
        path = address(f"providers_{row._meta.model_name}_change", row.pk)
        assert submit(client, path, blocked="on").status_code == 302
        row.refresh_from_db()
        assert row.blocked
