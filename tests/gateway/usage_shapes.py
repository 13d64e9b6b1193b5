"""What hosts report, and what it costs to the nano-dollar: worked out by hand, never by the code under test.

Prices are pico-dollars a unit. A dollar per million tokens is 1,000 nano-dollars a token, and the sums
beside the figures are in nano-dollars.
"""

from typing import Any, Literal

from msgspec import Struct

from gateway.call import Kind, Usage
from gateway.pricing import PriceCard, Terms

Prices = dict[str, int]
Counts = dict[str, Any]

MINI = {"input": 150_000, "cache_read": 75_000, "output": 600_000}
SONNET = {
    "input": 3_000_000,
    "cache_read": 300_000,
    "cache_write_5m": 3_750_000,
    "cache_write_1h": 6_000_000,
    "output": 15_000_000,
    "search": 10_000_000_000,
}
AUDIO = {"input": 2_500_000, "output": 10_000_000, "audio_in": 40_000_000, "audio_out": 80_000_000}
SONAR = {"input": 2_000_000, "output": 8_000_000, "reasoning": 3_000_000, "search": 5_000_000_000}
DEEPSEEK = {"input": 280_000, "cache_read": 28_000, "output": 420_000}
GROK = {"input": 3_000_000, "output": 15_000_000}
GEMINI = {"input": 300_000, "output": 2_500_000}
EMBEDDER = {"input": 20_000}
TRANSCRIBE = {"input": 2_500_000, "audio_in": 6_000_000, "output": 10_000_000}
WHISPER = {"audio_second": 100_000_000}
PAINTER = {"input": 5_000_000, "image_in": 10_000_000, "image_out": 40_000_000}
SPEAKER = {"input": 600_000, "audio_out": 12_000_000}


class Shape(Struct, frozen=True, kw_only=True):
    """A report, under which prices, and what it comes to."""

    name: str
    told: Counts | Usage
    prices: Prices | tuple[PriceCard, ...]
    cost: int
    charge: int | None = None
    """Where it is not the cost."""
    unpriced: tuple[str, ...] = ()
    """Lines that no row of the price book stands behind."""
    doubtful: bool = False
    wire: Literal["openai", "anthropic"] = "openai"
    kind: Kind = "chat"
    tier: str = ""
    terms: Terms = Terms()
    at_ms: int = 0


def chat(
    prompt: Any, answer: Any, /, inside: Counts | None = None, said: Counts | None = None, **more: Any
) -> Counts:
    """A report as OpenAI makes it, with the details of prompt and answer."""
    details = {"prompt_tokens_details": inside, "completion_tokens_details": said}
    return {"prompt_tokens": prompt, "completion_tokens": answer, **details, **more}


def response(prompt: int, answer: int, /, **more: Any) -> Counts:
    """A report with the other names."""
    return {"input_tokens": prompt, "output_tokens": answer, **more}


def shape(name: str, told: Counts | Usage, prices: Prices, cost: int, *unpriced: str, **more: Any) -> Shape:
    """A row of the table."""
    return Shape(name=name, told=told, prices=prices, cost=cost, unpriced=unpriced, **more)


OPENAI = [
    # 1,000 × 150 + 200 × 600 = 150,000 + 120,000
    shape("plain", chat(1_000, 200, total_tokens=1_200), MINI, 270_000),
    # 7 × 150 + 3 × 600 = 1,050 + 1,800
    shape("null total", chat(7, 3, total_tokens=None), MINI, 2_850),
    # 400 × 150 + 600 × 75 + 100 × 600 = 60,000 + 45,000 + 60,000
    shape("cached", chat(1_000, 100, {"cached_tokens": 600, "audio_tokens": 0}), MINI, 165_000),
    # 1,000 × 75 + 1 × 600
    shape("all of it cached", chat(1_000, 1, {"cached_tokens": 1_000}), MINI, 75_600),
    # 10 × 150 + 100 × 600 + 400 × 600 = 1,500 + 60,000 + 240,000
    shape("reasoning as output", chat(10, 500, said={"reasoning_tokens": 400}), MINI, 301_500),
    # 10 × 2,000 + 100 × 8,000 + 400 × 3,000 = 20,000 + 800,000 + 1,200,000
    shape("reasoning at its own", chat(10, 500, said={"reasoning_tokens": 400}), SONAR, 2_020_000),
    # 10 × 150 + 100 × 600: predictions are in the answer, accepted or not
    shape(
        "predicted",
        chat(10, 100, said={"accepted_prediction_tokens": 60, "rejected_prediction_tokens": 30}),
        MINI,
        61_500,
    ),
    # 20 × 2,500 + 100 × 40,000 + 10 × 10,000 + 50 × 80,000 = 50,000 + 4,000,000 + 100,000 + 4,000,000
    shape("sounds", chat(120, 60, {"audio_tokens": 100}, {"audio_tokens": 50}), AUDIO, 8_150_000),
    # 120 × 150 + 60 × 600 = 18,000 + 36,000
    shape("sounds as text", chat(120, 60, {"audio_tokens": 100}, {"audio_tokens": 50}), MINI, 54_000),
    # (20 + 100) × 150 + 1 × 600
    shape("pictures as text", chat(120, 1, {"image_tokens": 100}), MINI, 18_600),
    # 80 × 75 + (100 - 80) × 10,000 + 1 × 600 = 6,000 + 200,000 + 600
    shape(
        "cached and heard overlap",
        chat(100, 1, {"cached_tokens": 80, "audio_tokens": 40}),
        MINI | {"audio_in": 10_000_000},
        206_600,
        doubtful=True,
    ),
    # 100 × 75 + 1 × 600
    shape("more cached than there is", chat(100, 1, {"cached_tokens": 150}), MINI, 8_100, doubtful=True),
    # 1 × 150 + 50 × 600
    shape("more thought than said", chat(1, 50, said={"reasoning_tokens": 80}), MINI, 30_150, doubtful=True),
    # 50 × 150 + 25 × 75 + 1,186 × 600 = 7,500 + 1,875 + 711,600
    shape(
        "a response",
        response(
            75,
            1_186,
            input_tokens_details={"cached_tokens": 25},
            output_tokens_details={"reasoning_tokens": 1_024},
        ),
        MINI,
        720_975,
    ),
    # 8 × 20
    shape("embeddings", {"prompt_tokens": 8, "total_tokens": 8}, EMBEDDER, 160, kind="embedding"),
    # 13 × 20
    shape("embeddings, total alone", {"total_tokens": 13}, EMBEDDER, 260, kind="embedding"),
    shape("nothing was used", chat(0, 0), MINI, 0),
]

SOUNDS_AND_PICTURES = [
    # 14 × 2,500 + 100 × 6,000 + 45 × 10,000 = 35,000 + 600,000 + 450,000
    shape(
        "transcription by tokens",
        response(114, 45, type="tokens", input_token_details={"text_tokens": 14, "audio_tokens": 100}),
        TRANSCRIBE,
        1_085_000,
        kind="transcription",
    ),
    # 27 × 100,000
    shape("by the second", {"type": "duration", "seconds": 27}, WHISPER, 2_700_000, kind="transcription"),
    # 26.01 begins the 27th: 27 × 100,000
    shape("a second begun", {"type": "duration", "seconds": 26.01}, WHISPER, 2_700_000, kind="transcription"),
    # 10 × 100 + 5 × 100 + 3 × 16,666.667 = 1,000 + 500 + 50,000.001
    shape(
        "sound beside tokens",
        chat(10, 5, prompt_audio_seconds=3),
        {"input": 100_000, "output": 100_000, "audio_second": 16_666_667},
        51_500,
    ),
    # 10 × 5,000 + 40 × 10,000 + 1,056 × 40,000 = 50,000 + 400,000 + 42,240,000
    shape(
        "pictures by tokens",
        response(50, 1_056, input_tokens_details={"text_tokens": 10, "image_tokens": 40}),
        PAINTER,
        42_690_000,
        kind="image",
    ),
    # 50 × 5,000 + 1,056 × 32,000 = 250,000 + 33,792,000
    shape(
        "pictures as output",
        response(50, 1_056),
        {"input": 5_000_000, "output": 32_000_000},
        34_042_000,
        kind="image",
    ),
    # 50 × 5,000 + 10 × 10,000 + 1,056 × 40,000 = 250,000 + 100,000 + 42,240,000
    shape(
        "words beside a picture",
        response(50, 1_066, output_tokens_details={"text_tokens": 10, "image_tokens": 1_056}),
        PAINTER | {"output": 10_000_000},
        42_590_000,
        kind="image",
    ),
    # 3 × 40,000,000
    shape("pictures by the piece", Usage(image=3), {"image": 40_000_000_000}, 120_000_000, kind="image"),
    # 14 × 600 + 101 × 12,000 = 8,400 + 1,212,000
    shape("speech", response(14, 101), SPEAKER, 1_220_400, kind="speech"),
]

HOSTS = [
    # 36 × 280 + 64 × 28 + 5 × 420 = 10,080 + 1,792 + 2,100
    shape(
        "DeepSeek",
        chat(100, 5, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
        DEEPSEEK,
        13_972,
    ),
    # 36 × 150 + 64 × 75 + 5 × 600 = 5,400 + 4,800 + 3,000
    shape("Moonshot", chat(100, 5, cached_tokens=64), MINI, 13_200),
    # 32 × 3,000 + (9 + 94) × 15,000 = 96,000 + 1,545,000
    shape("xAI", chat(32, 9, said={"reasoning_tokens": 94}, total_tokens=135), GROK, 1_641_000),
    # 32 × 300 + 9 × 2,500 + (135 - 32 - 9) × 2,500 = 9,600 + 22,500 + 235,000
    shape("Gemini", chat(32, 9, total_tokens=135), GEMINI, 267_100, "unknown_out"),
    # 100 × 3,000 + 800 × 300 + 200 × 3,750 + 20 × 15,000 = 300,000 + 240,000 + 750,000 + 300,000
    shape(
        "OpenRouter",
        chat(1_100, 20, {"cached_tokens": 800, "cache_write_tokens": 200}, cost=0.00159),
        SONNET,
        1_590_000,
    ),
    # The same, and 150 of the 200 written for an hour, and 2 searches:
    # 300,000 + 240,000 + 50 × 3,750 + 150 × 6,000 + 300,000 + 2 × 10,000,000
    shape(
        "litellm",
        chat(
            1_100,
            20,
            {"cached_tokens": 800, "cache_creation_tokens": 200},
            cache_read_input_tokens=800,
            cache_creation_input_tokens=200,
            cache_creation={"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150},
            server_tool_use={"web_search_requests": 2},
        ),
        SONNET,
        21_927_500,
    ),
    # 100 × 3,000 + 800 × 300 + 200 × 3,750 + 20 × 15,000, as the total says: 100 + 800 + 200 + 20
    shape(
        "Anthropic's sums under OpenAI's names",
        chat(100, 20, cache_read_input_tokens=800, cache_creation_input_tokens=200, total_tokens=1_120),
        SONNET,
        1_590_000,
    ),
    # 100 × 3,000 + 800 × 300 + 20 × 15,000
    shape("and no total", chat(100, 20, cache_read_input_tokens=800), SONNET, 840_000, doubtful=True),
    # The same, in Anthropic's own names
    shape("Anthropic's names", response(100, 20, cache_read_input_tokens=800), SONNET, 840_000),
    # 10 × 2,000 + 5 × 8,000 + 3 × 5,000,000
    shape("Perplexity", chat(10, 5, num_search_queries=3), SONAR, 15_060_000),
]
