"""Embeddings in OpenAI's format from providers of another.

These formats are a few members each and written here: litellm guesses from a text whether it is a picture
or the name of a file, and asks Amazon once a text.
"""

from array import array
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from gateway.call import Ask, Reply, Usage
from gateway.catalog import Deployment
from gateway.errors import InvalidRequest, ProviderError, ProviderMalformed, Untranslatable
from gateway.exchange import Request
from gateway.translation.asked import fitting, read_asked
from gateway.translation.chat import failure_told, read_object, sent
from gateway.translation.counts import as_openai, cohere_usage, gemini_usage, ollama_usage
from gateway.translation.over import Reader
from gateway.translation.tongues import named
from gateway.translation.tongues.bedrock import region_of, signed

_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder()
_RETRIEVED = "search_document"
Vectors = Sequence[Sequence[float]]


class Texts(Struct, frozen=True, kw_only=True):
    """What is to be embedded, and how."""

    model: str
    texts: list[str]
    asked: Mapping[str, Any]


class Format(Struct, frozen=True, kw_only=True):
    """One provider's way."""

    places: Mapping[str, str]
    """Members of OpenAI's, and what they are called there."""
    address: Callable[[Deployment, str], str]
    body: Callable[[Texts, Mapping[str, Any]], Mapping[str, Any]]
    vectors: Callable[[Mapping[str, Any]], Vectors]
    usage: Callable[[Mapping[str, Any]], Usage | None]
    key: str = "authorization"
    scheme: str = "Bearer "


class EmbeddingTranslation:
    """One attempt."""

    def __init__(self) -> None:
        self.most_output: int | None = None
        self._format: Format | None = None
        self._model = ""

    def build_request(self, ask: Ask, deployment: Deployment) -> Request:
        """The provider's request."""
        prefix, self._model = named(deployment)
        form = self._format = _format(prefix, self._model)
        asked = read_asked(ask.members)
        asked.pop("encoding_format", None)
        given = fitting(asked, form.places)
        texts = _texts(ask.members.get("input", Raw(b"null")))
        told = {form.places[name]: value for name, value in given.items()}
        body = _encode(form.body(Texts(model=self._model, texts=texts, asked=given), told))
        url = form.address(deployment, self._model)
        secret = deployment.provider.secret
        if prefix == "bedrock":
            return sent(deployment, url, *signed(deployment, url, {}, body))
        headers = {} if secret is None else {form.key: f"{form.scheme}{secret.reveal()}"}
        return sent(deployment, url, headers, body)

    def read_reply(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """The vectors."""
        told = read_object(body)
        if self._format is None:
            raise ProviderMalformed
        try:
            packed = bytes(ask.members.get("encoding_format", Raw())) == b'"base64"'
            vectors = [_rendered(one, packed=packed) for one in self._format.vectors(told)]
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ProviderMalformed from error
        usage = self._format.usage(told)
        counts = b"" if usage is None else _encode(as_openai(usage))
        data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)]
        answer: dict[str, Any] = {"object": "list", "data": data, "model": self._model}
        return Reply(
            status=200,
            content_type="application/json",
            body=_encode(answer if usage is None else {**answer, "usage": Raw(counts)}),
            usage=usage,
            counts=counts,
            empty=not vectors,
        )

    def read_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """An answer that is an error."""
        return failure_told(status, headers, body)

    def open_stream(self, ask: Ask) -> Reader:
        """Embeddings are never streamed."""
        raise InvalidRequest("Embeddings cannot be streamed.", param="stream")


def _texts(raw: Raw) -> list[str]:
    try:
        given = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        given = None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise Untranslatable(
            "This model's provider embeds texts: `input` must be one, or several.", param="input"
        )
    return texts


def _rendered(vector: Sequence[float], *, packed: bool) -> Sequence[float] | str:
    numbers = array("f", vector)
    return b64encode(numbers.tobytes()).decode() if packed else vector


def _cohere_body(texts: Texts, told: Mapping[str, Any]) -> Mapping[str, Any]:
    usual = {"input_type": _RETRIEVED, "embedding_types": ["float"]}
    return {"model": texts.model, "texts": texts.texts, **usual, **told}


def _gemini_body(texts: Texts, told: Mapping[str, Any]) -> Mapping[str, Any]:
    model = f"models/{texts.model}"
    return {
        "requests": [{"model": model, "content": {"parts": [{"text": text}]}, **told} for text in texts.texts]
    }


def _ollama_body(texts: Texts, told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"model": texts.model, "input": texts.texts, **told}


def _titan_body(texts: Texts, told: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(texts.texts) > 1:
        raise Untranslatable("This model's provider embeds one text a request.", param="input")
    return {"inputText": texts.texts[0], **told}


def _at(usual: str, path: str) -> Callable[[Deployment, str], str]:
    def address(deployment: Deployment, model: str) -> str:
        return (deployment.provider.base_url or usual) + path.format(model=quote(model, safe=""))

    return address


def _amazon_address(deployment: Deployment, model: str) -> str:
    base = deployment.provider.base_url or f"https://bedrock-runtime.{region_of(deployment)}.amazonaws.com"
    return f"{base}/model/{quote(model, safe='')}/invoke"


def _billed(told: Mapping[str, Any]) -> Usage | None:
    meta = told.get("meta")
    return cohere_usage(meta, "embedding") if isinstance(meta, dict) else None


def _counted_by_gemini(told: Mapping[str, Any]) -> Usage | None:
    counts = told.get("usageMetadata")
    return gemini_usage(counts) if isinstance(counts, dict) else None


def _format(prefix: str, model: str) -> Format:
    family = model.partition(".")[0] if prefix == "bedrock" else ""
    form = FORMATS.get(f"{prefix} {family}".strip())
    if form is None or not model:
        raise Untranslatable(
            "This model's provider has no embeddings that could be asked for here.", param="model"
        )
    return form


_COHERE = Format(
    places={"dimensions": "output_dimension", "input_type": "input_type"},
    address=_at("https://api.cohere.com/v2", "/embed"),
    body=_cohere_body,
    vectors=lambda told: told["embeddings"]["float"],
    usage=_billed,
)

FORMATS: Mapping[str, Format] = {
    "cohere": _COHERE,
    "gemini": Format(
        places={"dimensions": "outputDimensionality", "task_type": "taskType"},
        address=_at("https://generativelanguage.googleapis.com/v1beta", "/models/{model}:batchEmbedContents"),
        body=_gemini_body,
        vectors=lambda told: [one["values"] for one in told["embeddings"]],
        usage=_counted_by_gemini,
        key="x-goog-api-key",
        scheme="",
    ),
    "ollama": Format(
        places={"dimensions": "dimensions"},
        address=_at("http://localhost:11434", "/api/embed"),
        body=_ollama_body,
        vectors=lambda told: told["embeddings"],
        usage=lambda told: ollama_usage(told, "embedding"),
    ),
    "bedrock amazon": Format(
        places={"dimensions": "dimensions"},
        address=_amazon_address,
        body=_titan_body,
        vectors=lambda told: [told["embedding"]],
        usage=lambda told: ollama_usage({"prompt_eval_count": told.get("inputTextTokenCount")}, "embedding"),
    ),
}
"""By the prefix of a deployment's model; with Amazon also by who made it."""
