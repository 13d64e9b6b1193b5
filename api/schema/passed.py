"""Answers that go through as the provider wrote them: what clients count on; there may be more."""

from typing import Any, Literal

from msgspec import Struct


class ChatUsage(Struct, kw_only=True):
    """What a provider counted, and whether the answer was kept here."""

    from_cache: bool
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class ChatMessage(Struct, kw_only=True):
    """What a model said, or which functions it calls."""

    role: str
    content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ChatChoice(Struct, kw_only=True):
    """One of the answers."""

    index: int
    message: ChatMessage
    finish_reason: str | None


class ChatCompletion(Struct, kw_only=True):
    """A chat's next turn."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class TextChoice(Struct, kw_only=True):
    """One of the answers."""

    index: int
    text: str
    finish_reason: str | None


class TextCompletion(Struct, kw_only=True):
    """A prompt, gone on from."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: dict[str, Any] | None = None


class Embedding(Struct, kw_only=True):
    """One vector: numbers, or their bytes in base64 where that was asked for."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingList(Struct, kw_only=True):
    """A vector for each text."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: dict[str, Any] | None = None


class ResponseObject(Struct, kw_only=True):
    """A response: the items that a model gave out."""

    id: str
    object: Literal["response"]
    created_at: float
    status: str
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None = None


class Deleted(Struct, kw_only=True):
    """A response that is kept no longer."""

    id: str
    object: Literal["response"]
    deleted: bool


class Judgement(Struct, kw_only=True):
    """What was found in one text or picture."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]


class ModerationResult(Struct, kw_only=True):
    """What was found."""

    id: str
    model: str
    results: list[Judgement]


class ImageList(Struct, kw_only=True):
    """Pictures: their bytes in base64, or where they are."""

    created: int
    data: list[dict[str, Any]]
    usage: dict[str, Any] | None = None


class Transcription(Struct, kw_only=True):
    """What was said in a recording."""

    text: str
    usage: dict[str, Any] | None = None


class Ranked(Struct, kw_only=True):
    """How well a document, by its place in the request, answers the question."""

    index: int
    relevance_score: float


class RerankResult(Struct, kw_only=True):
    """The documents, the best first."""

    results: list[Ranked]


class MessageObject(Struct, kw_only=True):
    """The next message of a conversation."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    usage: dict[str, Any]


class TokenCount(Struct, kw_only=True):
    """How many tokens a prompt has."""

    input_tokens: int


class ModelObject(Struct, kw_only=True):
    """A model that the key may use."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Struct, kw_only=True):
    """The models that the key may use."""

    object: Literal["list"]
    data: list[ModelObject]
