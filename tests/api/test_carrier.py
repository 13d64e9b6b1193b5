"""What the HTTP carrier does whatever the door: heads of all answers, methods, origins, compressed bodies."""

import gzip
import tracemalloc
import zlib

import pytest

from api.body import unpacked
from gateway.errors import TooLarge
from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh, hello
from tests.support.gateway_server import GatewayServer
from tests.support.gateways import BODY_LIMIT, PAGE
from tests.support.provider_scripts import fails
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, Line, exchange, request_bytes
from tests.support.small_configurations import INPUT_NANO, OUTPUT_NANO

CHAT = "/v1/chat/completions"
PLAIN = hello("echo")
RATES = [
    f"x-ratelimit-{what}-{unit}"
    for what in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens")
]


@pytest.fixture
def caller(calling: Calling) -> Caller:
    """Somebody with limits and a budget."""
    return calling("passing")


def ask(gateway: GatewayServer, method: str, path: str, **headers: str) -> Answer:
    """A request without a body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(gateway.port, request_bytes(method, path, named, b""), method)


def test_an_answer_says_who_gave_it_what_it_cost_and_what_is_left(caller: Caller) -> None:
    answer = caller.chat("echo", fresh("heads"))
    assert (answer.status, answer.header("X-Gateway-Provider")) == (200, "echo")
    assert answer.header("X-Gateway-Model") == "echo"
    assert answer.header("X-Gateway-Cache") == "bypass"
    assert float(answer.header("X-Gateway-Cost-USD") or 0) > 0
    assert float(answer.header("X-Gateway-Overhead-Ms") or 0) > 0
    assert None not in [answer.header(name) for name in RATES]


def test_a_failed_call_says_the_same_as_far_as_it_is_known(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("down"), fresh("down")
    provider.script(name, *[fails(400)] * 3)
    answer = caller.chat(f"stub/{name}", request)
    assert (answer.status, answer.header("X-Gateway-Provider")) == (400, "stub")
    assert answer.header("X-Gateway-Model") == f"stub/{name}"
    assert answer.header("X-Gateway-Cost-USD") == "0.000000000"
    assert float(answer.header("X-Gateway-Overhead-Ms") or 0) > 0
    assert None not in [answer.header(name) for name in RATES]


def test_a_refused_call_cost_nothing_and_names_the_quota_that_is_used_up(calling: Calling) -> None:
    seldom = calling("seldom")
    answers = [seldom.chat("echo", fresh("seldom")) for _ in range(2)]
    refused = answers[1]
    assert refused.status == 429
    assert refused.header("x-ratelimit-limit-requests") == "1"
    assert refused.header("x-ratelimit-remaining-requests") == "0"
    assert refused.header("X-Gateway-Cost-USD") == "0.000000000"
    assert int(refused.header("Retry-After") or 0) >= 1


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/models/meta/llama-3:8b"])
def test_head_is_get_without_its_body(caller: Caller, path: str) -> None:
    got = exchange(caller.gateway.port, request_bytes("GET", path, caller.headers(), b""), "GET")
    head = exchange(caller.gateway.port, request_bytes("HEAD", path, caller.headers(), b""), "HEAD")
    assert (head.status, head.body) == (got.status, b"")
    assert head.header("Content-Length") == str(len(got.body))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (CHAT, "POST, OPTIONS"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/responses/r", "GET, HEAD, DELETE, OPTIONS"),
    ],
)
def test_options_tells_what_a_door_answers_to(gateway: GatewayServer, path: str, allowed: str) -> None:
    answer = ask(gateway, "OPTIONS", path)
    assert (answer.status, answer.header("Allow"), answer.body) == (204, allowed, b"")
    assert ask(gateway, "PATCH", path).header("Allow") == allowed


def test_a_page_of_an_origin_that_is_named_may_call(calling: Calling) -> None:
    caller = calling("passing")
    preflight = ask(
        caller.gateway,
        "OPTIONS",
        CHAT,
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization, x-stainless-lang",
    )
    assert preflight.status == 204
    assert preflight.header("Access-Control-Allow-Origin") == PAGE
    assert preflight.header("Access-Control-Allow-Headers") == "authorization, *"
    assert "POST" in (preflight.header("Access-Control-Allow-Methods") or "")
    answer = caller.chat("echo", Origin=PAGE)
    assert answer.header("Access-Control-Allow-Origin") == PAGE
    assert "x-gateway-cost-usd" in (answer.header("Access-Control-Expose-Headers") or "")
    assert answer.header("Vary") == "origin"
    assert answer.header("Access-Control-Allow-Credentials") is None
    assert caller.post(b"{", Origin=PAGE).header("Access-Control-Allow-Origin") == PAGE
    with Line(caller.gateway.port) as line:
        line.send(caller.request(hello("echo", stream=True), Origin=PAGE))
        assert line.answer().header("Access-Control-Allow-Origin") == PAGE


@pytest.mark.parametrize("origin", ["https://evil.example.com", f"{PAGE}.evil.example.com", "null"])
def test_a_page_of_any_other_origin_may_read_nothing(caller: Caller, origin: str) -> None:
    answer = caller.chat("echo", Origin=origin)
    assert answer.header("Access-Control-Allow-Origin") is None
    assert answer.header("Vary") == "origin"
    preflight = ask(caller.gateway, "OPTIONS", CHAT, Origin=origin, Access_Control_Request_Method="POST")
    assert preflight.header("Access-Control-Allow-Origin") is None


def test_a_page_without_a_key_is_a_stranger_though_its_origin_is_named(gateway: GatewayServer) -> None:
    body = hello("echo")
    answer = exchange(gateway.port, request_bytes("POST", CHAT, {"Origin": PAGE}, body))
    assert answer.status in (401, 403)


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_compressed_body_is_what_it_says(caller: Caller, size: int) -> None:
    request = fresh("gzip")
    body = hello("echo", user="u", metadata={"pad": "x" * size})
    answer = caller.post(gzip.compress(body), request, Content_Encoding="gzip")
    assert answer.status == 200, answer.body
    assert caller.entry(request).status == "settled"


def test_a_compressed_body_may_not_grow_beyond_the_limit(careless: Caller) -> None:
    bomb = gzip.compress(b'{"model": "' + b"x" * (64 * BODY_LIMIT) + b'"}')
    assert len(bomb) < BODY_LIMIT
    answer = careless.post(bomb, Content_Encoding="gzip")
    assert (answer.status, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_compressed_body_that_grows_beyond_the_limit_is_not_unpacked_to_its_end() -> None:
    bomb = gzip.compress(bytes(64 * BODY_LIMIT))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await unpacked(bomb, BODY_LIMIT)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * BODY_LIMIT


@pytest.mark.parametrize(
    "body",
    [PLAIN, gzip.compress(PLAIN)[:-4], gzip.compress(PLAIN) + b"more", zlib.compress(PLAIN), b""],
    ids=["plain", "cut", "more behind it", "another format", "nothing"],
)
def test_what_is_not_gzip_is_refused(uncharged: Caller, body: bytes) -> None:
    answer = uncharged.post(body, Content_Encoding="gzip")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_other_encodings_are_refused(uncharged: Caller) -> None:
    assert uncharged.post(hello("echo"), Content_Encoding="br").status == 415


def test_a_caller_who_waits_to_be_let_in_is_told_to_go_on(caller: Caller) -> None:
    head, _, body = caller.request(hello("echo"), Expect="100-continue").partition(b"\r\n\r\n")
    with Line(caller.gateway.port) as line:
        line.send(head + b"\r\n\r\n")
        assert line.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        line.send(body)
        assert line.answer().status == 200


def test_a_caller_who_waits_to_be_let_in_and_may_not_is_refused_at_once(careless: Caller) -> None:
    head, _, _ = careless.request(b"x" * (2 * BODY_LIMIT), Expect="100-continue").partition(b"\r\n\r\n")
    with Line(careless.gateway.port) as line:
        line.send(head + b"\r\n\r\n")
        assert line.answer().status == 413


def test_costs_are_exact_to_the_nano_dollar(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("exact"), fresh("exact")
    answer = caller.chat(f"stub/{name}", request)
    meters = caller.entry(request).meters
    nano = meters["input"] * INPUT_NANO + meters["output"] * OUTPUT_NANO
    assert answer.header("X-Gateway-Cost-USD") == f"{nano / 1e9:.9f}"
