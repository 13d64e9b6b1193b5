"""Who may not enter, by which door, and how: keys, hosts, origins, headers, addresses and methods."""

import pytest

from tests.support.caller import CHAT, Caller, hello
from tests.support.raw_http import Answer, Line, exchange, request_bytes
from tests.support.refusals import refused


def sent(caller: Caller, method: str = "POST", path: str = CHAT, **headers: str) -> Answer:
    """The answer to a good body under these headers alone."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = hello("stub/entry") if method == "POST" else b""
    return exchange(caller.gateway.port, request_bytes(method, path, named, body), method)


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/models", "/v1/models/echo"])
def test_without_a_key_every_door_is_shut(uncharged: Caller, path: str) -> None:
    method = "GET" if "models" in path else "POST"
    body = b'{"input":"x","messages":[{"role":"user"}]}' if method == "POST" else b""
    answer = exchange(uncharged.gateway.port, request_bytes(method, path, {}, body), method)
    refused(answer, 401, "invalid_api_key")


WRONG_KEYS = {
    "wrong": {"Authorization": "Bearer sk-wrong"},
    "empty": {"Authorization": "Bearer "},
    "another scheme": {"Authorization": "Basic Y2FyZWxlc3M6a2V5"},
    "no scheme": {"Authorization": "careless-key-0000000001"},
    "long": {"Authorization": "Bearer " + "x" * 20_000},
    "not ASCII": {"Authorization": "Bearer caf\u00e9\u2713"},
    "as x-api-key": {"x_api_key": "sk-wrong"},
    "as api-key": {"api_key": "sk-wrong"},
    "nearly right": {"Authorization": "Bearer careless-key-000000000"},
    "in capitals": {"Authorization": "Bearer CARELESS-KEY-0000000001"},
}


@pytest.mark.parametrize("headers", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_is_refused_and_not_repeated(uncharged: Caller, headers: dict[str, str]) -> None:
    answer = sent(uncharged, **headers)
    refused(answer, 401, "invalid_api_key")
    assert b"sk-wrong" not in answer.body


@pytest.mark.parametrize("header", ["x_api_key", "api_key"])
def test_a_key_may_come_in_other_headers(careless: Caller, header: str) -> None:
    assert sent(careless, **{header: careless.key}).status == 200


FOREIGN = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example:80",
    "",
    "a b",
    "[::1",
    "*",
    "[",
    "@",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused_by_the_inference_lane(uncharged: Caller, host: str) -> None:
    refused(sent(uncharged, Host=host, Authorization=f"Bearer {uncharged.key}"), 400, "foreign_host")


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused_by_djangos_lane(uncharged: Caller, host: str) -> None:
    answer = sent(uncharged, "GET", "/admin/", Host=host)
    assert answer.status == 400
    assert b"Traceback" not in answer.body
    assert b"ALLOWED_HOSTS" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:9", "localhost."])
def test_our_hosts_are_served(careless: Caller, host: str) -> None:
    assert sent(careless, Host=host, Authorization=f"Bearer {careless.key}").status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://[",
        "http://localhost@evil.example",
        "http://[::1",
        "\u00ff",
    ],
)
def test_a_foreign_page_without_a_key_is_refused(uncharged: Caller, origin: str) -> None:
    refused(sent(uncharged, Origin=origin), 403, "foreign_origin")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://["])
def test_a_foreign_page_with_a_key_is_served(careless: Caller, origin: str) -> None:
    assert sent(careless, Origin=origin, Authorization=f"Bearer {careless.key}").status == 200


@pytest.mark.parametrize("tenant", ["sdk", "nobody", "caf\u00e9", "' OR 1=1 --"])
def test_a_key_acts_for_no_other_tenant(uncharged: Caller, tenant: str) -> None:
    refused(sent(uncharged, Authorization=f"Bearer {uncharged.key}", X_Tenant_ID=tenant), 403, "forbidden")


WRONG_HEADERS = [
    ("X-Gateway-Timeout", "soon"),
    ("X-Gateway-Timeout", "0"),
    ("X-Gateway-Timeout", "-1"),
    ("X-Gateway-Timeout", "nan"),
    ("X-Gateway-Timeout", "inf"),
    ("X-Gateway-Timeout", "3601"),
    ("X-Gateway-Timeout", "1e400"),
    ("X-Gateway-Tags", "team"),
    ("X-Gateway-Tags", "=search"),
    ("X-Gateway-Tags", "te am=search"),
    ("X-Gateway-Tags", "team=" + "x" * 201),
    ("X-Gateway-Tags", ",".join(f"t{number}=1" for number in range(17))),
    ("X-Gateway-Sensitivity", "secret"),
    ("X-Gateway-Priority", "1001"),
    ("X-Gateway-Priority", "-1001"),
    ("X-Gateway-Priority", "high"),
    ("X-Gateway-Priority", "1.5"),
    ("X-Gateway-Priority", "9" * 5_000),
]


@pytest.mark.parametrize(("name", "value"), WRONG_HEADERS, ids=lambda text: text[:30])
def test_a_malformed_header_is_refused_by_name(uncharged: Caller, name: str, value: str) -> None:
    answer = sent(uncharged, Authorization=f"Bearer {uncharged.key}", **{name: value})
    refused(answer, 400, "invalid_request", name)


@pytest.mark.parametrize("value", ["  ", ",", " , "])
def test_no_tags_are_no_mistake(careless: Caller, value: str) -> None:
    assert sent(careless, Authorization=f"Bearer {careless.key}", X_Gateway_Tags=value).status == 200


UNKNOWN = [
    "/v1/",
    "/v1/chat",
    "/v1/chat/completions/",
    "/v1/models/",
    "/v1/nothing",
    "/v1/%2e%2e/admin/",
    "/v1/chat%2Fcompletions/x",
    "/v1/caf%C3%A9%FF%00",
    "/v1/" + "x" * 5_000,
    "/health/nothing",
]


@pytest.mark.parametrize("path", UNKNOWN, ids=lambda path: path[:30])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_an_unknown_door_is_not_found_in_json(uncharged: Caller, method: str, path: str) -> None:
    answer = sent(uncharged, method, path)
    refused(answer, 404, "not_found")
    assert len(answer.body) < 1_000


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST, OPTIONS"),
        ("PUT", CHAT, "POST, OPTIONS"),
        ("DELETE", "/v1/embeddings", "POST, OPTIONS"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/models/echo", "GET, HEAD, OPTIONS"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("POST", "/health/ready", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    uncharged: Caller, method: str, path: str, allowed: str
) -> None:
    answer = sent(uncharged, method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.header("allow") == allowed


def test_health_answers_without_a_key(uncharged: Caller) -> None:
    live, ready = (sent(uncharged, "GET", path) for path in ("/health", "/health/ready"))
    assert (live.status, live.json()["status"]) == (200, "healthy")
    assert (ready.status, ready.json()["status"]) == (200, "ready")


def test_a_model_is_found_by_its_id_decoded_once(careless: Caller) -> None:
    answer = sent(careless, "GET", "/v1/models/stub%2Fa%252Fb", Authorization=f"Bearer {careless.key}")
    assert answer.json()["id"] == "stub/a%2Fb"


GARBAGE = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an unknown method": b"BREW /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header without a name": b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
    "NUL in a header": b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Tenant-ID: a\x00b\r\n\r\n",
    "HTTP/9.9": b"GET /v1/models HTTP/9.9\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_http_is_answered_and_the_connection_closed(uncharged: Caller, data: bytes) -> None:
    with Line(uncharged.gateway.port) as line:
        line.send(data)
        assert 400 <= line.answer().status < 500
        assert line.is_closed()


def test_a_connection_survives_a_refused_request(careless: Caller) -> None:
    answered = []
    with Line(careless.gateway.port) as line:
        for body in (hello("echo"), b"{", hello("echo")):
            line.send(careless.request(body))
            answered.append(line.answer().status)
    assert answered == [200, 400, 200]
