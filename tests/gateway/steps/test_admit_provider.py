"""Which model and which provider a call gets that names a provider."""

import pytest
from msgspec.structs import replace

from gateway.call import Ask, Call, Origin
from gateway.catalog import Snapshot, UnknownProvider
from gateway.errors import InvalidRequest
from gateway.ids import uuid7
from gateway.steps.admit import choose_model, open_tab
from tests.support.engine import (
    OTHER_TENANT,
    make_ask,
    make_deployment,
    make_model,
    make_principal,
    make_provider,
    make_snapshot,
)

ALICE = make_principal()


def make_call(ask: Ask) -> Call:
    """A call of it."""
    return Call(id=uuid7(), ask=ask, origin=Origin(), started=0.0)


def asking(provider: str, model: str = "") -> Call:
    """A chat that names a provider."""
    return make_call(replace(make_ask(model=model), provider=provider))


def catalog(default: str = "", **fields: object) -> Snapshot:
    """Two providers; the first has a default model."""
    alpha = make_provider("alpha", default_model=default)
    beta = make_provider("beta")
    return make_snapshot(
        make_model(make_deployment(provider=alpha, upstream="llama3"), name="big"),
        make_model(make_deployment(provider=beta, upstream="other"), name="small"),
        make_model(make_deployment(provider=alpha, upstream="*"), name="alpha/*"),
        defaults={"chat": "small"},
        **fields,
    )


@pytest.mark.parametrize(
    ("default", "model"), [("big", "big"), ("llama3", "big"), ("mixtral", "alpha/mixtral"), ("", None)]
)
def test_a_default_model_is_found_by_our_name_and_by_its_own(default: str, model: str | None) -> None:
    """Without one the platform's default is asked for, which this provider does not serve."""
    if model is None:
        with pytest.raises(InvalidRequest, match="'alpha' does not serve the model 'small'"):
            choose_model(asking("alpha"), ALICE, catalog(default))
    else:
        assert choose_model(asking("alpha"), ALICE, catalog(default)).name == model


def test_a_default_of_another_kind_is_passed_over() -> None:
    alpha = make_provider("alpha", default_model="chatty")
    snapshot = make_snapshot(
        make_model(make_deployment(provider=alpha), name="chatty"),
        make_model(make_deployment(provider=alpha), name="vectors", kind="embedding"),
        defaults={"embedding": "vectors"},
    )
    call = make_call(replace(make_ask(model=""), provider="alpha", kind="embedding"))
    assert choose_model(call, ALICE, snapshot).name == "vectors"


def test_a_named_model_counts_before_a_default() -> None:
    assert choose_model(asking("alpha", "alpha/x"), ALICE, catalog("big")).name == "alpha/x"


def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownProvider, match="'gamma'"):
        open_tab(asking("gamma", "big"), ALICE, None, catalog(), 0.0)


def test_a_provider_of_another_tenant_is_not_there() -> None:
    owned = make_provider("owned", tenant_id=OTHER_TENANT)
    snapshot = make_snapshot(make_model(make_deployment(provider=owned), make_deployment(), name="big"))
    with pytest.raises(UnknownProvider):
        open_tab(asking("owned", "big"), ALICE, None, snapshot, 0.0)


@pytest.mark.parametrize("provider", ["gamma", "owned"])
def test_one_that_stands_in_answers_for_whoever_is_not_there(provider: str) -> None:
    tab = open_tab(asking(provider, "small"), ALICE, None, catalog(stand_in="beta"), 0.0)
    assert (tab.call.ask.provider, tab.model.name) == ("beta", "small")


def test_one_that_stands_in_leaves_the_others_alone() -> None:
    tab = open_tab(asking("alpha", "big"), ALICE, None, catalog(stand_in="beta"), 0.0)
    assert tab.call.ask.provider == "alpha"
