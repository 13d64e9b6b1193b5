"""OpenAI's wire: bytes pass through, counts become disjoint meters, failures become ours."""

import pytest

from gateway import errors
from gateway.call import Usage
from gateway.catalog import Secret
from gateway.wires.openai import build_request, read_failure, read_reply
from tests.support.engine import (
    ask_of,
    make_ask,
    make_deployment,
    make_provider,
)


def test_counts_become_disjoint_meters_by_the_kind_of_call() -> None:
    usage = b'"usage":{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":4}}'
    embedding = ask_of(b'{"model":"m","input":"x"}', kind="embedding")
    assert read_reply(embedding, {}, b'{"data":[],%b}' % usage).usage == Usage(input=6, cache_read=4)


@pytest.mark.parametrize("usage", [b"", b',"usage":null', b',"usage":[1]', b',"usage":{}'])
def test_no_usage_is_none_and_the_words_are_kept_to_be_counted(usage: bytes) -> None:
    reply = read_reply(make_ask(), {}, b'{"choices":[{"message":{"content":"hi"}}]%b}' % usage)
    assert (reply.usage, reply.texts) == (None, ("hi",))


def test_a_body_goes_out_as_it_came() -> None:
    body = b'{ "model" : "m", "messages":[{"role":"user","content":"\\u00e9\\/"}], "new": {"x":1.50} }'
    request = build_request(ask_of(body), make_deployment(upstream="m"))
    assert request.body == body
    assert request.url == "https://alpha.example/v1/chat/completions"


def test_only_the_model_is_edited_where_the_provider_names_it_otherwise() -> None:
    body = b'{"a":1.50,"model":"m","messages":[ {"content":"\\u00e9"} ],"z":[1e2]}'
    request = build_request(ask_of(body), make_deployment(upstream="llama 3"))
    assert request.body == b'{"a":1.50,"model":"llama 3","messages":[ {"content":"\\u00e9"} ],"z":[1e2]}'


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (b"", b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":null', b',"stream_options":{"include_usage":true}'),
        (
            b',"stream_options":{"include_usage":false,"x":[1]}',
            b',"stream_options":{"include_usage":true,"x":[1]}',
        ),
    ],
)
def test_usage_is_asked_of_a_stream_for_the_ledgers_sake(given: bytes, sent: bytes) -> None:
    ask = ask_of(b'{"model":"m","messages":[]%b}' % given, stream=True, wants_usage=False)
    assert build_request(ask, make_deployment()).body == b'{"model":"m","messages":[]%b}' % sent
    silent = make_deployment(provider=make_provider(includes_usage=False))
    assert build_request(ask, silent).body == ask.body


def test_the_providers_own_key_and_headers_go_along() -> None:
    provider = make_provider(secret=Secret("sk-made-up"), headers={"x-team": "search"})
    request = build_request(ask_of(b'{"model":"m"}', kind="embedding"), make_deployment(provider=provider))
    assert request.url.endswith("/v1/embeddings")
    assert request.headers["authorization"] == "Bearer sk-made-up"
    assert request.headers["x-team"] == "search"
    assert request.headers["accept-encoding"] == "identity"
    assert "sk-made-up" not in repr(provider)
    assert "authorization" not in build_request(make_ask(), make_deployment()).headers


def test_an_answer_comes_back_untouched() -> None:
    body = (
        b'{ "choices":[ {"message":{"content":"hi"}} ], "usage":{"prompt_tokens":3,"completion_tokens":1} }'
    )
    headers = {"content-type": "application/json; charset=utf-8", "openai-version": "1", "set-cookie": "a=b"}
    reply = read_reply(make_ask(), headers, body)
    assert (reply.body, reply.usage, reply.empty) == (body, Usage(input=3, output=1), False)
    assert reply.content_type == "application/json; charset=utf-8"
    assert reply.headers == {"openai-version": "1"}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices":null}', b'{"choices":7}', b'{"x":"\xff"}']
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(errors.ProviderMalformed):
        read_reply(make_ask(), {}, body)


def test_an_answer_nested_too_deeply_is_malformed() -> None:
    with pytest.raises(errors.ProviderMalformed):
        read_reply(make_ask(), {}, b'{"choices":' + b"[" * 100_000)


def test_an_answer_without_a_choice_or_vector_is_empty() -> None:
    assert read_reply(make_ask(), {}, b'{"choices":[]}').empty
    embeddings = ask_of(b'{"model":"m","input":"x"}', kind="embedding")
    assert read_reply(embeddings, {}, b'{"data":[]}').empty
    assert not read_reply(embeddings, {}, b'{"data":[{"embedding":[1]}]}').empty


def test_a_failure_is_read_as_any_wires() -> None:
    failure = read_failure(400, {}, b'{"error":{"message":"bad","code":"content_filter"}}')
    assert isinstance(failure, errors.ContentRefused)
