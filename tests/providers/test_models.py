"""What the providers' tables let in."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from providers.keys import provider_key_secret_set
from providers.models import Alias, Deployment, Model, Provider, ProviderKey
from tenants.secrets import secret_resolve
from tests import factories

pytestmark = pytest.mark.usefixtures("each_database")

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    "url", [OPENAI, "http://localhost:11434/v1", "http://[::1]:8080", "http://10.0.0.7/"]
)
def test_a_provider_is_found_by_http(url: str) -> None:
    Provider(name="openai", base_url=url).full_clean()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://api.openai.com",
        "https://",
        "https://user:password@api.openai.com",
        "https://api.openai.com/v1?key=1",
        "https://api.openai.com/#v1",
        "https://api.openai.com/v1 ",
        "https://api.openai.com:port/",
        "https://api.openai.com/\nv1",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        Provider(name="openai", base_url=url).full_clean()


@pytest.mark.parametrize("wire", ["echo", "litellm"])
def test_some_wires_need_no_address(wire: str) -> None:
    Provider(name="any", wire=wire).full_clean()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Team": "a\r\nX-Other: b"},
        {"X Team": "a"},
        {"X-Team\n": "a"},
        {"X-Team": 1},
        {"Authorization": "Bearer sk"},
        {"x-api-key": "sk"},
        {"Content-Length": "1"},
        ["X-Team"],
    ],
)
def test_headers_neither_split_the_request_nor_carry_secrets(headers: object) -> None:
    with pytest.raises(ValidationError, match="headers"):
        Provider(name="openai", base_url=OPENAI, headers=headers).full_clean()


def test_a_bare_secret_is_never_stored() -> None:
    provider = factories.make_provider()
    with pytest.raises(ValidationError, match="secret"):
        ProviderKey(provider=provider, name="main", secret="sk-upstream").full_clean()
    key = ProviderKey(provider=provider, name="main")
    provider_key_secret_set(key=key, secret="sk-upstream-0123456789")
    key.full_clean()
    key.save()
    stored = ProviderKey.objects.get()
    assert "sk-upstream" not in stored.secret
    assert stored.last_four == "6789"
    assert secret_resolve(reference=stored.secret) == "sk-upstream-0123456789"


def test_a_reference_is_stored_as_it_is() -> None:
    key = ProviderKey(last_four="6789")
    provider_key_secret_set(key=key, secret="env:OPENAI_API_KEY")
    assert (key.secret, key.last_four) == ("env:OPENAI_API_KEY", "")


@pytest.mark.parametrize("name", ["gpt-4o-mini", "gemma3:12b", "openai/*", "*"])
def test_a_models_name_may_be_a_pattern(name: str) -> None:
    Model(name=name).full_clean()


@pytest.mark.parametrize("name", ["", "gpt 4", "*/*", "gpt\n"])
def test_other_model_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Model(name=name).full_clean()


def test_a_model_stands_once_at_a_provider_and_region() -> None:
    model, provider = factories.make_model(), factories.make_provider()
    factories.make_deployment(model, provider)
    factories.make_deployment(model, provider, region="eu")
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_deployment(model, provider)
    assert Deployment.objects.count() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"strategy": "luck"},
        {"sticky": "tenant"},
        {"batch_size": 0},
        {"batch_size": 2_049},
        {"batch_ms": 1_001},
        {"connect_timeout_ms": 0},
        {"total_timeout_ms": 0},
    ],
)
def test_a_models_odd_choices_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Model(name="gpt-4o-mini", **fields).full_clean()


def test_quality_is_at_most_one() -> None:
    model, provider = factories.make_model(), factories.make_provider()
    row = Deployment(model=model, provider=provider, upstream_model="any", quality=10_001)
    with pytest.raises(ValidationError, match="quality"):
        row.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


def test_fallbacks_have_an_order() -> None:
    model = factories.make_model()
    model.routes.create(target="small")
    model.routes.create(target="small", cause="error")
    model.routes.create(target="large", position=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        model.routes.create(target="large")


def test_an_alias_has_one_target() -> None:
    Alias.objects.create(name="small", target="gpt-4o-mini")
    with pytest.raises(IntegrityError), transaction.atomic():
        Alias.objects.create(name="small", target="gpt-4o")
