"""The price book follows the cost map, where people have not said otherwise."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from providers.cost_map import SOURCE
from providers.models import Model, Price, Provider
from tenants.revision import current_revision
from tests import factories
from tests.support.configuration import printed, watched, writes_of

pytestmark = pytest.mark.django_db

MAP = {
    "gpt-4o-mini": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "input_cost_per_token_batches": 7.5e-08,
        "max_input_tokens": 128000,
        "max_output_tokens": 16384,
    },
    "odd": {"litellm_provider": "openai", "input_cost_per_token": 1.5e-12, "input_cost_per_character": 1e-06},
    "gift": {"litellm_provider": "openai", "input_cost_per_token": 0, "output_cost_per_token": 0},
    "film": {"litellm_provider": "openai", "output_cost_per_video_per_second": 0.1},
    "groq/llama": {"litellm_provider": "groq", "input_cost_per_token": 5e-08},
    "vertex_ai/gemini": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-07},
}


@pytest.fixture
def openai() -> Provider:
    provider = factories.make_provider("openai", wire="openai", base_url="https://api.openai.com/v1")
    factories.make_deployment(factories.make_model(), provider)
    return provider


@pytest.fixture
def cost_map(tmp_path: Path) -> Path:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(MAP))
    return path


def run(cost_map: Path, *arguments: str) -> str:
    return printed("prices_import", "--file", str(cost_map), "--verbosity", "2", *arguments)


def book() -> set[tuple[str, str, str, int]]:
    rows = Price.objects.filter(valid_until=None)
    return set(rows.values_list("model", "meter", "service_tier", "pico_per_unit"))


MINI = {
    ("gpt-4o-mini", "input", "", 150_000),
    ("gpt-4o-mini", "output", "", 600_000),
    ("gpt-4o-mini", "input", "batch", 75_000),
}


def test_models_that_deployments_run_are_priced(openai: Provider, cost_map: Path) -> None:
    told = run(cost_map)
    assert book() == MINI
    assert set(Price.objects.values_list("provider", flat=True)) == {openai.pk}
    assert Price.objects.all()[0].source.startswith(SOURCE)
    assert "3 created" in told


def test_a_star_brings_all_models_of_the_provider(openai: Provider, cost_map: Path) -> None:
    factories.make_deployment(factories.make_model("openai/*"), openai, upstream_model="*")
    told = run(cost_map)
    assert book() == MINI | {("odd", "input", "", 2)}
    assert "1 rounded half to even\n  price of openai/odd input: 1.5 → 2 picodollars" in told
    assert "1 listed as free" in told
    assert "  openai/gift" in told
    assert "1 listed without a figure that a meter here counts\n  openai/film" in told
    assert "1 figures of input_cost_per_character have no meter here" in told


def test_a_star_within_a_name_brings_those_that_fit(openai: Provider, cost_map: Path) -> None:
    factories.make_deployment(factories.make_model("o*"), openai, upstream_model="o*")
    run(cost_map)
    assert book() == MINI | {("odd", "input", "", 2)}


def test_the_second_import_writes_nothing(openai: Provider, cost_map: Path) -> None:
    run(cost_map)
    revision = current_revision()
    with watched() as queries:
        told = run(cost_map)
    assert writes_of(queries) == []
    assert current_revision() == revision
    assert told == "3 unchanged\n"


def test_a_changed_figure_supersedes(openai: Provider, cost_map: Path) -> None:
    run(cost_map)
    cost_map.write_text(cost_map.read_text().replace("6e-07", "5e-07"))
    assert "1 changed\n  price of openai/gpt-4o-mini output: 600000 → 500000 picodollars" in run(cost_map)
    assert Price.objects.filter(meter="output").count() == 2
    assert ("gpt-4o-mini", "output", "", 500_000) in book()


def test_what_people_set_stays(openai: Provider, cost_map: Path) -> None:
    factories.make_price(provider=openai, pico_per_unit=7, source="configuration file")
    told = run(cost_map)
    assert "1 left alone, since people set them\n  price of openai/gpt-4o-mini input: 7" in told
    assert ("gpt-4o-mini", "input", "", 7) in book()


def test_a_planned_change_is_not_overtaken(openai: Provider, cost_map: Path) -> None:
    factories.make_price(provider=openai, valid_from=timezone.now() + timedelta(days=1))
    assert "1 left alone, since a change is planned" in run(cost_map)
    assert Price.objects.filter(meter="input", service_tier="").count() == 1


def test_a_dry_run_does_nothing(openai: Provider, cost_map: Path) -> None:
    told = run(cost_map, "--dry-run")
    assert "3 created" in told
    assert told.endswith("this was a dry run.\n")
    assert not Price.objects.exists()
    assert Model.objects.get().context_window is None


def test_empty_sizes_are_filled_and_others_stand(openai: Provider, cost_map: Path) -> None:
    Model.objects.update(max_output_tokens=99)
    assert "gpt-4o-mini: context_window 128000" in run(cost_map)
    model = Model.objects.get()
    assert (model.context_window, model.max_output_tokens) == (128_000, 99)


def test_providers_are_mapped_by_name_or_as_told(cost_map: Path) -> None:
    for name, upstream in (("fast", "llama"), ("vertex_ai", "gemini"), ("house", "own")):
        provider = factories.make_provider(name)
        factories.make_deployment(factories.make_model(upstream), provider, upstream_model=upstream)
    told = run(cost_map, "--map", "fast=groq")
    assert {(model, pico) for model, _, _, pico in book()} == {("llama", 50_000), ("gemini", 100_000)}
    assert "1 providers that the cost map does not know by this name: use --map OURS=THEIRS\n  house" in told
    assert "1 deployments without any price\n  house/own" in told


def test_a_family_of_names_is_one_provider(cost_map: Path) -> None:
    provider = factories.make_provider("vertex_ai", wire="litellm")
    factories.make_deployment(factories.make_model("g"), provider, upstream_model="vertex_ai/gemini")
    run(cost_map)
    assert book() == {("vertex_ai/gemini", "input", "", 100_000)}


def test_only_the_named_providers(openai: Provider, cost_map: Path) -> None:
    factories.make_provider("groq")
    assert "1 deployments without any price" not in run(cost_map, "--provider", "groq")
    assert book() == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--provider", "gone"), "There is no provider gone"),
        (("--map", "openai"), "Write --map OURS=THEIRS"),
        (("--file", "/none"), "cannot be read"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        printed("prices_import", *arguments)


def test_the_installed_map_prices_a_known_model(openai: Provider) -> None:
    printed("prices_import")
    assert {meter for _, meter, tier, _ in book() if not tier} >= {"input", "output"}
