"""The cost map's figures as ours, worked out by hand."""

import json
import subprocess
import sys
from decimal import Decimal

import pytest

from providers.cost_map import CostMapUnreadable, Figure, Listing, cost_map_read, cost_map_text

Told = tuple[str, int | None, str, int]


def listing(entry: str, name: str = "m") -> Listing:
    """The listing of an entry, given as JSON text so that figures are read as in the file."""
    (only,) = cost_map_read(f'{{"{name}": {entry}}}')
    return only


def told(entry: str) -> set[Told]:
    return {
        (figure.meter, figure.context_above, figure.service_tier, figure.pico)
        for figure in listing(entry).figures
    }


@pytest.mark.parametrize(
    ("field", "figure", "meter", "pico"),
    [
        ("input_cost_per_token", "1.5e-07", "input", 150_000),
        ("output_cost_per_token", "6e-07", "output", 600_000),
        ("cache_read_input_token_cost", "7.5e-08", "cache_read", 75_000),
        ("input_cost_per_token_cache_hit", "2.8e-08", "cache_read", 28_000),
        ("cache_creation_input_token_cost", "3.75e-06", "cache_write_5m", 3_750_000),
        ("cache_creation_input_token_cost_above_1hr", "6e-06", "cache_write_1h", 6_000_000),
        ("output_cost_per_reasoning_token", "4e-06", "reasoning", 4_000_000),
        ("input_cost_per_audio_token", "1e-06", "audio_in", 1_000_000),
        ("output_cost_per_audio_token", "1.2e-05", "audio_out", 12_000_000),
        ("input_cost_per_image_token", "1e-05", "image_in", 10_000_000),
        ("output_cost_per_image_token", "4e-05", "image_out", 40_000_000),
        ("output_cost_per_image", "0.04", "image", 40_000_000_000),
        ("input_cost_per_image", "0.02", "image", 20_000_000_000),
        ("input_cost_per_request", "0.005", "request", 5_000_000_000),
        ("input_cost_per_query", "0.001", "request", 1_000_000_000),
        ("input_cost_per_token", "3", "input", 3_000_000_000_000),
        ("input_cost_per_token", "1.875e-08", "input", 18_750),
    ],
)
def test_a_field_becomes_a_meter(field: str, figure: str, meter: str, pico: int) -> None:
    assert told(f'{{"{field}": {figure}}}') == {(meter, None, "", pico)}


def test_long_prompts_and_classes_of_service_are_conditions() -> None:
    entry = """{
        "input_cost_per_token": 3e-06,
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "input_cost_per_token_above_128k_tokens": 5e-06,
        "output_cost_per_token_above_272k_tokens_priority": 9e-05,
        "input_cost_per_token_batches": 1.5e-06,
        "cache_read_input_token_cost_flex": 2.5e-07,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05
    }"""
    assert told(entry) == {
        ("input", None, "", 3_000_000),
        ("input", 200_000, "", 6_000_000),
        ("input", 128_000, "", 5_000_000),
        ("output", 272_000, "priority", 90_000_000),
        ("input", None, "batch", 1_500_000),
        ("cache_read", None, "flex", 250_000),
        ("cache_write_1h", 200_000, "", 12_000_000),
    }


def test_tiers_in_a_list_are_context_tiers() -> None:
    entry = """{"tiered_pricing": [
        {"input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07, "range": [0, 256000.0]},
        {"input_cost_per_token": 2.5e-07, "range": [256000.0, 1000000.0]},
        {"input_cost_per_query": 0.005, "max_results_range": [0, 25]}
    ]}"""
    assert told(entry) == {
        ("input", None, "", 50_000),
        ("output", None, "", 400_000),
        ("input", 256_000, "", 250_000),
    }


def test_a_search_costs_its_medium_context() -> None:
    entry = """{"search_context_cost_per_query": {
        "search_context_size_low": 0.03, "search_context_size_medium": 0.035, "search_context_size_high": 0.05
    }}"""
    assert told(entry) == {("search", None, "", 35_000_000_000)}


def test_seconds_count_where_something_is_spoken() -> None:
    whisper = '{"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0002, "mode": "MODE"}'
    spoken = told(whisper.replace("MODE", "audio_transcription"))
    assert spoken == {("audio_second", None, "", 100_000_000)}
    filmed = listing(whisper.replace("MODE", "video_generation"))
    assert filmed.figures == ()
    assert filmed.unmapped == ("input_cost_per_second", "output_cost_per_second")


def test_a_picture_costs_what_making_it_costs() -> None:
    entry = '{"input_cost_per_image": 0.001, "output_cost_per_image": 0.04}'
    assert told(entry) == {("image", None, "", 40_000_000_000)}


@pytest.mark.parametrize(
    ("figure", "pico"),
    [
        ("1.5000020000000002e-05", 15_000_020),
        ("5e-13", 0),
        ("1.5e-12", 2),
        ("2.5e-12", 2),
        ("0.000283333333333", 283_333_333),
    ],
)
def test_a_figure_that_is_not_whole_is_rounded_half_even_and_says_so(figure: str, pico: int) -> None:
    (only,) = listing(f'{{"input_cost_per_token": {figure}}}').figures
    assert (only.pico, only.rounded) == (pico, True)
    assert only.exact == Decimal(figure) * 10**12


def test_a_whole_figure_is_not_rounded() -> None:
    assert not Figure(meter="input", exact=Decimal("150000.000")).rounded


def test_what_has_no_meter_is_named() -> None:
    entry = """{"input_cost_per_token": 1e-06, "input_cost_per_character": 1e-06, "ocr_cost_per_page": 0,
                "output_cost_per_token_ultrafast": 3e-04, "code_interpreter_cost_per_session": 0.03}"""
    assert listing(entry).unmapped == (
        "input_cost_per_character",
        "output_cost_per_token_ultrafast",
        "code_interpreter_cost_per_session",
    )


def test_texts_and_negative_figures_are_no_prices() -> None:
    entry = '{"input_cost_per_token": "1e-6", "output_cost_per_token": -1, "input_cost_per_image": true}'
    assert told(entry) == set()


def test_free_means_that_all_its_figures_are_zero() -> None:
    assert listing('{"input_cost_per_token": 0.0, "output_cost_per_token": 0}').free
    assert not listing('{"input_cost_per_token": 1e-07, "output_cost_per_token": 0}').free
    assert not listing('{"mode": "chat"}').free


def test_a_models_own_name_and_sizes() -> None:
    entry = (
        '{"litellm_provider": "groq", "max_input_tokens": 128000, "max_output_tokens": 8192, "max_tokens": 1}'
    )
    found = listing(entry, name="groq/llama/x")
    assert (found.name, found.provider, found.model) == ("groq/llama/x", "groq", "llama/x")
    assert (found.context_window, found.max_output_tokens) == (128_000, 8_192)
    own = listing('{"litellm_provider": "vertex_ai-language-models"}', name="vertex_ai/gemini")
    assert own.model == "gemini"
    assert listing('{"litellm_provider": "openai"}', name="ft:gpt/x").model == "ft:gpt/x"
    assert listing('{"max_input_tokens": "many", "max_output_tokens": 0}').context_window is None


def test_the_sample_and_names_that_are_none_of_ours_are_left_out() -> None:
    text = json.dumps({"sample_spec": {}, "a b": {}, "bedrock/*/x": {}, "fine": {}, "text": "none"})
    assert [found.name for found in cost_map_read(text)] == ["fine"]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_map_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CostMapUnreadable):
        cost_map_read(text)


def test_the_installed_map_is_read_without_importing_litellm() -> None:
    listings = {found.name: found for found in cost_map_read(cost_map_text())}
    assert listings["gpt-4o-mini"].provider == "openai"
    assert len(listings) > 1000
    program = "import sys; from providers.cost_map import cost_map_text; cost_map_text(); "
    program += "print('litellm' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
