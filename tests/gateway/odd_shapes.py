"""More of what hosts report: Anthropic's shape, classes that nobody knows, and nonsense; by hand."""

from gateway.call import Usage
from tests.gateway.usage_shapes import MINI, SONNET, chat, response, shape

ANTHROPIC = [
    # 10 × 3,000 + 5 × 15,000
    shape("plain message", response(10, 5), SONNET, 105_000, wire="anthropic"),
    # 2,095 × 3,000 + 1,051 × 300 + 148 × 3,750 + 100 × 6,000 + 503 × 15,000 + 3 × 10,000,000
    # = 6,285,000 + 315,300 + 555,000 + 600,000 + 7,545,000 + 30,000,000
    shape(
        "all at once",
        response(
            2_095,
            503,
            cache_read_input_tokens=1_051,
            cache_creation_input_tokens=248,
            cache_creation={"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            server_tool_use={"web_search_requests": 3, "web_fetch_requests": 2},
        ),
        SONNET,
        45_300_300,
        wire="anthropic",
    ),
    # 10 × 3,000 + 248 × 3,750 + 1 × 15,000 = 30,000 + 930,000 + 15,000
    shape(
        "written, for how long it does not say",
        response(10, 1, cache_creation_input_tokens=248),
        SONNET,
        975_000,
        wire="anthropic",
    ),
    # 10 × 3,000 + 100 × 3,750 + 1 × 15,000: the hour has no price of its own
    shape(
        "an hour as five minutes",
        response(10, 1, cache_creation={"ephemeral_1h_input_tokens": 100}),
        {"input": 3_000_000, "cache_write_5m": 3_750_000, "output": 15_000_000},
        420_000,
        wire="anthropic",
    ),
    # (10 + 100) × 150 + 1 × 600: writing has no price at all
    shape(
        "written as input",
        response(10, 1, cache_creation_input_tokens=100),
        MINI,
        17_100,
        wire="anthropic",
    ),
    # 1 × 3,000 + (9 - 6) × 3,750 + 6 × 6,000 + 1 × 15,000 = 3,000 + 11,250 + 36,000 + 15,000
    shape(
        "5 and 6 are not 9",
        response(
            1,
            1,
            cache_creation_input_tokens=9,
            cache_creation={"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6},
        ),
        SONNET,
        65_250,
        wire="anthropic",
        doubtful=True,
    ),
    # 5 × 15,000
    shape("no prompt", {"output_tokens": 5}, SONNET, 75_000, wire="anthropic", doubtful=True),
]

UNKNOWN = [
    # (60 + 40) × 150 + 1 × 600: as input, but by no row
    shape("in the prompt", chat(100, 1, {"video_tokens": 40}), MINI, 15_600, "unknown_in"),
    # 1 × 150 + (30 + 20) × 600
    shape("in the answer", chat(1, 50, said={"smell_tokens": 20}), MINI, 30_150, "unknown_out"),
    # 10 × 150 + 5 × 600; what stands beside them costs nothing until somebody says what
    shape("beside both", chat(10, 5, citation_tokens=70), MINI, 4_500, "unknown"),
    shape("a tool", chat(10, 5, server_tool_use={"code_requests": 2}), MINI, 4_500, "unknown"),
    shape("a search without a price", chat(10, 5, num_search_queries=3), MINI, 4_500, "search"),
    shape("a picture without a price", Usage(input=10, image=1), MINI, 1_500, "image"),
    # 20 × 600 alone
    shape("a prompt without a price", chat(10, 20), {"output": 600_000}, 12_000, "input"),
]

NONSENSE = [
    # 7 × 600
    shape("less than nothing", chat(-5, 7), MINI, 4_200, doubtful=True),
    # 7 × 150
    shape("above 2^53", chat(7, (1 << 53) + 1), MINI, 1_050, doubtful=True),
    shape("above 2^64", chat(7, 1 << 70), MINI, 1_050, doubtful=True),
    shape("half a token", chat(7, 1.5), MINI, 1_050, doubtful=True),
    shape("null", chat(7, None), MINI, 1_050, doubtful=True),
    shape("a list", chat(7, [5]), MINI, 1_050, doubtful=True),
    # 10 × 150 + 5 × 600
    shape("whole floats", chat(10.0, 5.0), MINI, 4_500),
    shape("cached less than nothing", chat(10, 5, {"cached_tokens": -1}), MINI, 4_500, doubtful=True),
    shape("a total too small", chat(10, 5, total_tokens=12), MINI, 4_500, doubtful=True),
    # 5 × 600
    shape("text", chat("7", 5), MINI, 3_000, doubtful=True),
    # (2^40 - 1) × 150 = 1,099,511,627,775 × 150
    shape("as much as can be", chat((1 << 40) - 1, 0), MINI, 164_926_744_166_250),
]
