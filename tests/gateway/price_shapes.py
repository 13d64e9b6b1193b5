"""Prices of every shape, and what calls come to under them: worked out by hand, as in `usage_shapes`."""

from uuid import UUID

from gateway.call import Usage
from gateway.pricing import Price, PriceCard, Sheet, Terms, make_sheet
from tests.gateway.usage_shapes import GROK, MINI, SONNET, Prices, Shape, chat, response, shape

ACME, GLOBEX = UUID(int=1), UUID(int=2)
FOUR_O = {"input": 2_500_000, "output": 10_000_000}


def sheet(prices: Prices, above: int = 0, tier: str = "") -> Sheet:
    """A sheet whose rows are numbered."""
    rows = {meter: Price(pico=pico, row=row) for row, (meter, pico) in enumerate(prices.items(), start=1)}
    return make_sheet(rows, context_above=above, service_tier=tier)


def card(
    *sheets: Sheet,
    sell: Prices | None = None,
    own: Prices | None = None,
    begin: int = 0,
    end: int | None = None,
) -> tuple[PriceCard]:
    """A card of these sheets, with everyone's sell prices, and those of acme."""
    return (
        PriceCard(
            version="v1",
            sheets=sheets,
            sell=() if sell is None else (sheet(sell),),
            own_sell={} if own is None else {ACME: (sheet(own),)},
            valid_from_ms=begin,
            valid_until_ms=end,
        ),
    )


def under(
    name: str,
    told: object,
    cards: tuple[PriceCard, ...],
    cost: int,
    charge: int | None = None,
    **more: object,
) -> Shape:
    """A row of the table whose cards are given."""
    return Shape(name=name, told=told, prices=cards, cost=cost, charge=charge, **more)  # type: ignore[arg-type]


def marked_up(bps: int, tenant: UUID = ACME) -> Terms:
    """A contract by basis points."""
    return Terms(tenant_id=tenant, markup_bps=bps)


LONG_SONNET = {"input": 6_000_000, "cache_read": 600_000, "cache_write_5m": 7_500_000, "output": 22_500_000}
TIERED = card(sheet(LONG_SONNET, 200_000), sheet(SONNET))
FLASH = card(
    sheet({"input": 150_000, "output": 600_000}, 128_000), sheet({"input": 75_000, "output": 300_000})
)
GPT = card(
    sheet({"input": 5_000_000, "cache_read": 500_000, "output": 22_500_000}, 272_000),
    sheet({"input": 2_500_000, "cache_read": 250_000, "output": 15_000_000}),
)
STEPS = card(
    sheet({"input": 4_000_000}, 1_000_000), sheet({"input": 2_000_000}, 200_000), sheet({"input": 1_000_000})
)

CONTEXTS = [
    # 200,000 × 3,000 + 10 × 15,000
    under("at the edge", chat(200_000, 10), TIERED, 600_150_000),
    # 200,001 × 6,000 + 10 × 22,500 = 1,200,006,000 + 225,000
    under("past it, all of the call", chat(200_001, 10), TIERED, 1_200_231_000),
    # 1 × 6,000 + 200,000 × 600 + 10 × 22,500
    under("what is cached counts", chat(200_001, 10, {"cached_tokens": 200_000}), TIERED, 120_231_000),
    # The same, told by Anthropic
    under(
        "also beside the prompt",
        response(1, 10, cache_read_input_tokens=200_000),
        TIERED,
        120_231_000,
        wire="anthropic",
    ),
    # 1 × 3,000 + 199,999 × 300 + 10 × 15,000 = 3,000 + 59,999,700 + 150,000
    under(
        "one less",
        response(1, 10, cache_read_input_tokens=199_999),
        TIERED,
        60_152_700,
        wire="anthropic",
    ),
    # 200,001 × 6,000 + 1 × 22,500: sounds are part of the prompt
    under("what is heard counts", chat(200_001, 1, {"audio_tokens": 200_001}), TIERED, 1_200_028_500),
    # 200,001 × 6,000 + 1 × 22,500: so is what nobody knows
    under(
        "what is unknown counts",
        chat(200_001, 1, {"video_tokens": 200_001}),
        TIERED,
        1_200_028_500,
        unpriced=("unknown_in",),
    ),
    # 1 × 3,000 + 300,000 × 15,000
    under("an answer does not", chat(1, 300_000), TIERED, 4_500_003_000),
    # 128,000 × 75 + 2 × 300
    under("128k", chat(128_000, 2), FLASH, 9_600_600),
    # 128,001 × 150 + 2 × 600
    under("above 128k", chat(128_001, 2), FLASH, 19_201_350),
    # 1 × 2,500 + 271,999 × 250 + 1 × 15,000
    under("272k", chat(272_000, 1, {"cached_tokens": 271_999}), GPT, 68_017_250),
    # 1 × 5,000 + 272,000 × 500 + 1 × 22,500
    under("above 272k", chat(272_001, 1, {"cached_tokens": 272_000}), GPT, 136_027_500),
    # 1,000,000 × 2,000 and 1,000,001 × 4,000
    under("the second step", Usage(input=1_000_000), STEPS, 2_000_000_000),
    under("the third step", Usage(input=1_000_001), STEPS, 4_000_004_000),
]

SERVED = card(
    sheet({"input": 4_250_000, "output": 17_000_000}, tier="priority"),
    sheet({"input": 1_250_000, "output": 5_000_000}, tier="flex"),
    sheet({"input": 1_250_000, "output": 5_000_000}, tier="batch"),
    sheet(FOUR_O),
)
TIERS = [
    # 100 × 2,500 + 10 × 10,000
    under("no class", chat(100, 10), SERVED, 350_000),
    under("default", chat(100, 10), SERVED, 350_000, tier="default"),
    under("unheard of", chat(100, 10), SERVED, 350_000, tier="scale"),
    # 100 × 1,250 + 10 × 5,000
    under("batch", chat(100, 10), SERVED, 175_000, tier="batch"),
    under("flex", chat(100, 10), SERVED, 175_000, tier="flex"),
    # 100 × 4,250 + 10 × 17,000
    under("priority", chat(100, 10), SERVED, 595_000, tier="priority"),
]

BY_COST = card(sheet(FOUR_O))
CONTRACTS = [
    # 350,000 × 1.10
    under("a mark-up", chat(100, 10), BY_COST, 350_000, 385_000, terms=marked_up(1_000)),
    # 350,000 × 0.85
    under("a discount", chat(100, 10), BY_COST, 350_000, 297_500, terms=marked_up(-1_500)),
    under("a gift", chat(100, 10), BY_COST, 350_000, 0, terms=marked_up(-10_000)),
    # 10 × 1,000 × 1.0001
    under(
        "one basis point",
        Usage(input=10),
        card(sheet({"input": 1_000_000})),
        10_000,
        10_001,
        terms=marked_up(1),
    ),
    # 18.75, and 18.75 × 1.10 = 20.625
    under(
        "marked up, then rounded",
        Usage(input=1),
        card(sheet({"input": 18_750})),
        19,
        21,
        terms=marked_up(1_000),
    ),
    # 37.5 to the even one, and 37.5 × 1.20 = 45, where 38 × 1.20 would be 45.6
    under("rounded but once", Usage(input=2), card(sheet({"input": 18_750})), 38, 45, terms=marked_up(2_000)),
    # 3, and 3 × 1.50 = 4.5 to the even one
    under("a tie", Usage(input=3), card(sheet({"input": 1_000})), 3, 4, terms=marked_up(5_000)),
]

SOLD = card(
    sheet(FOUR_O),
    sell={"input": 3_000_000, "output": 12_000_000},
    own={"input": 2_000_000, "output": 11_000_000},
)
SALES = [
    # 100 × 3,000 + 10 × 12,000; the mark-up is for those who pay by cost
    under("everyone's price", chat(100, 10), SOLD, 350_000, 420_000, terms=marked_up(5_000, GLOBEX)),
    under("nobody's contract", chat(100, 10), SOLD, 350_000, 420_000),
    # 100 × 2,000 + 10 × 11,000
    under("a price of one's own", chat(100, 10), SOLD, 350_000, 310_000, terms=marked_up(5_000)),
    # 100 × 3,000 + 10 × 10,000 × 1.10 = 300,000 + 110,000
    under(
        "an answer that is not sold is paid by its cost",
        chat(100, 10),
        card(sheet(FOUR_O), sell={"input": 3_000_000}),
        350_000,
        410_000,
        terms=marked_up(1_000),
    ),
    # 10 × 3,000 + 100 × 300 + 5 × 15,000 + 3 × 10,000,000, and
    # 10 × 3,200 + 100 × 3,200 + 5 × 16,000 + 3 × 10,000,000: what is cached takes the sold input's price
    under(
        "a search that is not sold",
        response(10, 5, cache_read_input_tokens=100, server_tool_use={"web_search_requests": 3}),
        card(sheet(SONNET), sell={"input": 3_200_000, "output": 16_000_000}),
        30_135_000,
        30_432_000,
        wire="anthropic",
    ),
    # 10 × 150 + 5 × 600, and 10 × 200 + 5 × 800 + 2 × 12,000,000
    under(
        "a search that is sold and whose cost nobody knows",
        chat(10, 5, num_search_queries=2),
        card(sheet(MINI), sell={"input": 200_000, "output": 800_000, "search": 12_000_000_000}),
        4_500,
        24_006_000,
        unpriced=("search",),
    ),
    # 3 × 1,000 + 5,000,000, and 3 × 2,000 + 5,000,000 × 1.10
    under(
        "a fee that is not sold",
        Usage(input=3),
        card(sheet({"input": 1_000_000, "request": 5_000_000_000}), sell={"input": 2_000_000}),
        5_003_000,
        5_506_000,
        terms=marked_up(1_000),
    ),
    # 10 × 1,000, and 10 × 0 + 7,000
    under(
        "a fee that is only sold",
        Usage(input=10),
        card(sheet({"input": 1_000_000}), sell={"input": 0, "request": 7_000_000}),
        10_000,
        7_000,
    ),
    # 10 × 150 + 5 × 600: it is sold above 100 tokens only, and paid by its cost below
    under(
        "a price list for long prompts alone",
        chat(10, 5),
        (PriceCard(version="v1", sheets=(sheet(MINI),), sell=(sheet({"input": 900_000}, 100),)),),
        4_500,
    ),
]

OLD_AND_NEW = (
    *card(sheet(GROK), begin=1_000, end=2_000),
    *card(sheet({"input": 6_000_000, "output": 30_000_000}), begin=2_000, end=3_000),
)
TIMES = [
    under("before any price", chat(1, 1), OLD_AND_NEW, 0, at_ms=999, unpriced=("input", "output")),
    # 3,000 + 15,000
    under("its first moment", chat(1, 1), OLD_AND_NEW, 18_000, at_ms=1_000),
    under("its last moment", chat(1, 1), OLD_AND_NEW, 18_000, at_ms=1_999),
    # 6,000 + 30,000
    under("the next one's first", chat(1, 1), OLD_AND_NEW, 36_000, at_ms=2_000),
    under("after all prices", chat(1, 1), OLD_AND_NEW, 0, at_ms=3_000, unpriced=("input", "output")),
]

ROUNDINGS = [
    # 0.5, 1.5, 2.5, 112.5 nano-dollars: ties go to the even one
    shape("half of one", Usage(input=1), {"input": 500}, 0),
    shape("one and a half", Usage(input=3), {"input": 500}, 2),
    shape("two and a half", Usage(input=5), {"input": 500}, 2),
    shape("six at $0.01875 a million", Usage(input=6), {"input": 18_750}, 112),
    # 18.75, and 18.75 × 1,000,000
    shape("one at $0.01875 a million", Usage(input=1), {"input": 18_750}, 19),
    shape("a million at $0.01875", Usage(input=1_000_000), {"input": 18_750}, 18_750_000),
    # 1.4 + 1.7 + 1.4 = 4.5 to the even one
    shape(
        "the sum is rounded, not its parts",
        Usage(input=1, cache_read=1, output=1),
        {"input": 1_400, "cache_read": 1_700, "output": 1_400},
        4,
    ),
    shape("free", chat(1_000, 1_000), {"input": 0, "output": 0}, 0),
    # 5,000,000 for the request
    shape("a fee alone", chat(9, 9), {"input": 0, "output": 0, "request": 5_000_000_000}, 5_000_000),
    # 10 × 150 + 5 × 600 + 5,000,000
    shape("a fee beside tokens", chat(10, 5), MINI | {"request": 5_000_000_000}, 5_004_500),
    # (2^40 - 1) × 75,000 = 1,099,511,627,775 × 75,000
    shape("large", Usage(output=(1 << 40) - 1), {"output": 75_000_000}, 82_463_372_083_125_000),
]
