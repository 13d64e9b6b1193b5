"""Whatever is sent: the dialect's error envelope, the right status, and nothing charged."""

import json

import pytest

from tests.support.caller import CHAT, Caller, fresh, hello
from tests.support.gateways import BODY_LIMIT
from tests.support.provider_scripts import USAGE, completion, replies
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line, exchange, request_bytes
from tests.support.refusals import refused

MESSAGES = b'"messages":[{"role":"user","content":"hello"}]'


def chat(members: bytes, model: bytes = b"stub/bad") -> bytes:
    return b'{"model":"%b",%b}' % (model, members)


NOT_JSON = {
    "no body": b"",
    "words": b"hello",
    "half": b'{"model":"stub/bad"',
    "two": chat(MESSAGES) + b"{}",
    "NaN": chat(MESSAGES + b',"temperature":NaN'),
    "Infinity": chat(MESSAGES + b',"temperature":-Infinity'),
    "single quotes": b"{'model':'stub/bad'}",
    "comma at the end": chat(MESSAGES + b","),
    "invalid UTF-8": chat(b'"messages":[{"role":"user","content":"\xff\xfe"}]'),
    "UTF-8 surrogates": chat(b'"messages":[{"role":"user","content":"\xed\xa0\x80"}]'),
    "UTF-16": hello("stub/bad").decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + hello("stub/bad"),
    "control character": chat(b'"messages":[{"role":"user","content":"\x00"}]'),
    "list": b"[]",
    "string": b'"hello"',
    "number": b"1e400",
    "null": b"null",
    "nested arrays": chat(b'"messages":' + b"[" * 10_000 + b"]" * 10_000),
    "nested objects": chat(MESSAGES + b',"x":' + b'{"x":' * 10_000 + b"1" + b"}" * 10_000),
    "never closed": b"[" * 1_000_000,
    "a member twice": chat(MESSAGES + b',"model":"echo"'),
    "a member twice behind an escape": chat(MESSAGES + rb',"mod\u0065l":"echo"'),
    "messages twice": chat(MESSAGES + b"," + MESSAGES),
    "an unknown member twice": chat(MESSAGES + b',"x":1,"x":2'),
    "half a surrogate pair as a name": chat(MESSAGES + rb',"\ud800":1'),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_object_is_refused(uncharged: Caller, body: bytes) -> None:
    refused(uncharged.post(body), 400, "invalid_request")


WRONG_VALUES = {
    "n=0": (MESSAGES + b',"n":0', "n"),
    "n=10**9": (MESSAGES + b',"n":1000000000', "n"),
    "n as text": (MESSAGES + b',"n":"2"', "n"),
    "n=1.5": (MESSAGES + b',"n":1.5', "n"),
    "max_tokens=-1": (MESSAGES + b',"max_tokens":-1', "max_tokens"),
    "max_tokens=0": (MESSAGES + b',"max_tokens":0', "max_tokens"),
    "max_tokens=10**30": (MESSAGES + b',"max_tokens":1' + b"0" * 30, "max_tokens"),
    "max_tokens=1e400": (MESSAGES + b',"max_tokens":1e400', "max_tokens"),
    "max_completion_tokens=2**63": (
        MESSAGES + b',"max_completion_tokens":9223372036854775808',
        "max_completion_tokens",
    ),
    "stream as text": (MESSAGES + b',"stream":"yes"', "stream"),
    "stream as number": (MESSAGES + b',"stream":1', "stream"),
    "stream_options as list": (MESSAGES + b',"stream":true,"stream_options":[]', "stream_options"),
    "no messages": (b'"n":1', None),
    "messages=[]": (b'"messages":[]', "messages"),
    "messages as text": (b'"messages":"hello"', "messages"),
    "messages=null": (b'"messages":null', "messages"),
    "a message as text": (b'"messages":["hello"]', "messages[0]"),
    "a message without a role": (b'"messages":[{"content":"hello"}]', "messages[0]"),
    "user as object": (MESSAGES + b',"user":{}', "user"),
}


@pytest.mark.parametrize(("members", "param"), WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_a_wrong_value_is_refused_by_name(uncharged: Caller, members: bytes, param: str | None) -> None:
    refused(uncharged.post(chat(members)), 400, "invalid_request", param)


@pytest.mark.parametrize("model", [b"5", b"[]", b"{}", b"true", rb'"\ud800"'])
def test_a_model_that_is_no_name_is_refused(uncharged: Caller, model: bytes) -> None:
    answer = uncharged.post(b'{"model":%b,%b}' % (model, MESSAGES))
    assert answer.status == 400
    assert answer.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    "name",
    [
        "nobody-has-this",
        "stub/a\r\nSet-Cookie: session=stolen",
        "stub/a\x00b",
        "stub/" + "x" * 100_000,
        "stub/\u202e\u2028",
        "stub/*",
        "*",
        "../../etc/passwd",
    ],
    ids=ascii,
)
def test_an_unknown_model_is_not_found(uncharged: Caller, name: str) -> None:
    answer = uncharged.post(
        json.dumps({"model": name, "messages": [{"role": "user", "content": "x"}]}).encode()
    )
    refused(answer, 404, "model_not_found", "model")
    assert answer.header("set-cookie") is None
    assert len(answer.body) < 2_000


EMBEDDINGS = {
    "no input": b"{}",
    "null": b'{"input":null}',
    "no text": b'{"input":""}',
    "no texts": b'{"input":[]}',
    "a number": b'{"input":5}',
    "an object": b'{"input":{"text":"x"}}',
    "texts of objects": b'{"input":[{}]}',
    "dimensions=0": b'{"input":"x","dimensions":0}',
}


@pytest.mark.parametrize("body", EMBEDDINGS.values(), ids=EMBEDDINGS)
def test_a_wrong_embeddings_request_is_refused(uncharged: Caller, body: bytes) -> None:
    assert uncharged.post(body, path="/v1/embeddings").json()["error"]["code"] == "invalid_request"


def test_a_chat_model_serves_no_embeddings(uncharged: Caller) -> None:
    answer = uncharged.post(b'{"input":"x","model":"echo"}', path="/v1/embeddings")
    refused(answer, 400, "invalid_request", "model")


TEXTS = {
    "half a surrogate pair": rb"caf\u00e9 \ud83d",
    "a surrogate pair": rb"\ud83d\ude00 caf\u00e9",
    "NUL": rb"\u0000",
}


@pytest.mark.parametrize("stream", [b"false", b"true"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_with_odd_escapes_is_never_an_internal_error(
    careless: Caller, text: bytes, stream: bytes
) -> None:
    messages = b'"messages":[{"role":"user","content":"%b"}],"stream":%b' % (text, stream)
    assert careless.post(chat(messages)).status in (200, 400)
    assert careless.post(chat(messages, b"echo")).status in (200, 400)
    assert careless.gateway.open_holds() == 0


@pytest.mark.parametrize("letter", [b"x", rb"\u0078"], ids=["plain", "escaped"])
@pytest.mark.parametrize("usage", [USAGE, None], ids=["counted", "uncounted"])
def test_however_deep_a_message_is_nested_it_is_never_an_internal_error(
    careless: Caller, provider: ProviderStub, letter: bytes, usage: dict[str, int] | None
) -> None:
    """Every depth around the one where decoders give up: what was read at the door is read again later."""
    name = fresh("deep")
    provider.script(name, replies(completion(usage=usage)))
    for depth in range(900, 1_010):
        content = b"[" * depth + b'"%b"' % letter + b"]" * depth
        message = b'"messages":[{"role":"user","content":%b}]' % content
        answer = careless.post(chat(message, f"stub/{name}".encode()))
        assert answer.status in (200, 400), depth
    assert careless.gateway.open_holds() == 0


def test_a_prompt_of_two_megabytes_is_answered(careless: Caller) -> None:
    request = fresh("large")
    text = "word " * (2 * 1024 * 1024 // 5)
    answer = careless.post(hello("stub/large", messages=[{"role": "user", "content": text}]), request)
    assert answer.status == 200
    assert careless.entry(request).status == "settled"


def test_a_body_that_says_it_is_too_large_is_refused_unread(uncharged: Caller) -> None:
    with Line(uncharged.gateway.port) as line:
        line.send(request_bytes("POST", CHAT, uncharged.headers(Content_Length=str(BODY_LIMIT + 1))))
        refused(line.answer(), 413, "request_too_large")
        assert line.is_closed()


def test_a_chunked_body_is_refused_once_it_is_too_large(uncharged: Caller) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with Line(uncharged.gateway.port) as line:
        line.send(request_bytes("POST", CHAT, uncharged.headers(Transfer_Encoding="chunked")))
        for _ in range(BODY_LIMIT // 0x10000):
            line.send(piece)
        line.send(b"1\r\n \r\n")
        refused(line.answer(), 413, "request_too_large")


def test_a_chunked_body_is_read(careless: Caller) -> None:
    body = hello("echo")
    with Line(careless.gateway.port) as line:
        line.send(request_bytes("POST", CHAT, careless.headers(Transfer_Encoding="chunked")))
        for at in range(0, len(body), 7):
            line.send(b"%x\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]))
        line.send(b"0\r\n\r\n")
        assert line.answer().status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "4"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "4")],
        [("Content-Length", "-1")],
        [("Content-Length", "4"), ("Content-Length", "5")],
        [("Content-Length", "four")],
        [("Transfer-Encoding", "chunked, identity")],
    ],
    ids=str,
)
def test_a_body_whose_end_is_in_doubt_is_refused_and_the_connection_closed(
    uncharged: Caller, headers: list[tuple[str, str]]
) -> None:
    with Line(uncharged.gateway.port) as line:
        line.send(request_bytes("POST", CHAT, [*uncharged.headers().items(), *headers], b"0\r\n\r\n"))
        answer = line.answer()
        assert answer.status == 400
        assert b"<" not in answer.body
        assert line.is_closed()


@pytest.mark.parametrize(
    "media", ["application/x-www-form-urlencoded", "text/plain", "", "application/JSON; charset=utf-8"]
)
def test_json_is_read_whatever_its_hurried_type(careless: Caller, media: str) -> None:
    assert careless.post(hello("echo"), Content_Type=media).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/xml"},
        {"Content-Type": "text/html"},
        {"Content-Type": "caf\u00e9"},
        {"Content-Encoding": "br"},
    ],
    ids=str,
)
def test_another_type_of_body_is_refused(uncharged: Caller, headers: dict[str, str]) -> None:
    body = hello("echo")
    named = {**uncharged.headers(), **headers}
    refused(
        exchange(uncharged.gateway.port, request_bytes("POST", CHAT, named, body)),
        415,
        "unsupported_media_type",
    )
