"""Embeddings in OpenAI's format from providers of another."""

import json
from array import array
from base64 import b64decode
from typing import Any

import pytest

from gateway.call import Usage
from gateway.errors import InvalidRequest, ProviderMalformed
from gateway.wires import wire_for
from tests.gateway.wires.litellm_form import deployed, openai_ask, sent_body, translated

ASKED = {"model": "mine", "input": ["one", "two"], "encoding_format": "float"}
VECTORS = [[0.25, -0.5], [1.0, 0.0]]
COHERE = "cohere/embed-v4.0"
GEMINI = "gemini/gemini-embedding-001"
OLLAMA = "ollama/nomic-embed-text"
TITAN = "bedrock/amazon.titan-embed-text-v2:0"


@pytest.mark.parametrize(
    ("upstream", "asked", "url", "sent"),
    [
        (
            COHERE,
            ASKED,
            "https://api.cohere.com/v2/embed",
            {
                "model": "embed-v4.0",
                "texts": ["one", "two"],
                "input_type": "search_document",
                "embedding_types": ["float"],
                "output_dimension": 2,
            },
        ),
        (
            GEMINI,
            {**ASKED, "input": "one"},
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-001:batchEmbedContents",
            {
                "requests": [
                    {
                        "model": "models/gemini-embedding-001",
                        "content": {"parts": [{"text": "one"}]},
                        "outputDimensionality": 2,
                    }
                ]
            },
        ),
        (
            OLLAMA,
            ASKED,
            "http://localhost:11434/api/embed",
            {"model": "nomic-embed-text", "input": ["one", "two"], "dimensions": 2},
        ),
        (
            TITAN,
            {**ASKED, "input": ["one"]},
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.titan-embed-text-v2%3A0/invoke",
            {"inputText": "one", "dimensions": 2},
        ),
    ],
)
def test_each_provider_is_asked_in_its_words(upstream: str, asked: Any, url: str, sent: Any) -> None:
    ask, deployment = (
        openai_ask({**asked, "dimensions": 2, "user": "u"}, kind="embedding"),
        deployed(upstream),
    )
    wire = wire_for(ask, deployment.provider)
    assert wire is not None
    request = wire.build_request(ask, deployment)
    assert request.url == url
    assert json.loads(request.body) == sent


@pytest.mark.parametrize(
    ("upstream", "told", "vectors", "usage"),
    [
        (
            COHERE,
            {"embeddings": {"float": VECTORS}, "meta": {"billed_units": {"input_tokens": 4}}},
            VECTORS,
            Usage(input=4),
        ),
        (GEMINI, {"embeddings": [{"values": one} for one in VECTORS]}, VECTORS, None),
        (OLLAMA, {"embeddings": VECTORS, "prompt_eval_count": 4}, VECTORS, Usage(input=4)),
        (TITAN, {"embedding": VECTORS[0], "inputTextTokenCount": 3}, VECTORS[:1], Usage(input=3)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_vectors_and_counts_come_back(
    upstream: str, told: Any, vectors: Any, usage: Usage | None, packed: bool
) -> None:
    asked = {**ASKED, "input": "one", "encoding_format": "base64" if packed else "float"}
    ask = openai_ask(asked, kind="embedding")
    reply = translated(ask, deployed(upstream)).read_reply(ask, {}, json.dumps(told).encode())
    answer = json.loads(reply.body)
    read = [one["embedding"] for one in answer["data"]]
    assert [list(array("f", b64decode(one))) for one in read] == vectors if packed else read == vectors
    assert [one["index"] for one in answer["data"]] == list(range(len(vectors)))
    assert reply.usage == usage
    assert ("usage" in answer) == (usage is not None)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"embeddings": 5}', b'{"embeddings": [["x"]]}', b"\xff"]
)
@pytest.mark.parametrize("upstream", [COHERE, GEMINI, OLLAMA, TITAN])
def test_what_is_no_answer_is_refused(upstream: str, body: bytes) -> None:
    ask = openai_ask({**ASKED, "input": "one"}, kind="embedding")
    with pytest.raises(ProviderMalformed):
        translated(ask, deployed(upstream)).read_reply(ask, {}, body)


@pytest.mark.parametrize(
    ("upstream", "members", "param"),
    [
        (COHERE, {"input": [[1, 2]]}, "input"),
        (COHERE, {"input": []}, "input"),
        (COHERE, {"anything": 1}, "anything"),
        (OLLAMA, {"extra_headers": {"a": "b"}}, "extra_headers"),
        (TITAN, {}, "input"),
        ("bedrock/meta.llama3", {}, "model"),
        ("anthropic/claude", {}, "model"),
    ],
)
def test_what_a_format_cannot_say_is_refused_by_name(upstream: str, members: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        sent_body(openai_ask({**ASKED, **members}, kind="embedding"), deployed(upstream))
    assert refusal.value.param == param


def test_a_question_to_look_things_up_by_can_be_told_from_what_is_looked_up() -> None:
    asked = {**ASKED, "input_type": "search_query"}
    assert sent_body(openai_ask(asked, kind="embedding"), deployed(COHERE))["input_type"] == "search_query"
