"""What each door of the lane takes and gives: structs of its dialect, and an example."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from msgspec import Struct
from msgspec.json import encode

from api import openai_bodies
from api.dialects import anthropic, gateway_v1, models_v1, openai, openai_responses, query
from api.doors import DOORS, PREFIXES, Door, Telling
from api.schema import passed, samples
from api.telling.facts import Clearing, LimitsFact


class Sheet(Struct, frozen=True, kw_only=True):
    """One door's bodies."""

    asks: type[Struct] | None = None
    """What a body is read as; None where there is none, or it is a form."""
    answers: Any = None
    """What a whole answer is: `bytes` is no JSON, and None is for doors that only answer in streams."""
    deleted: Any = None
    """What is told of something that was deleted."""
    example: bytes = b"{}"
    wishes: tuple[str, ...] = ()
    """What its address may have behind a question mark."""


NOTHING_SAID = Sheet(answers=Any)

SHEETS: Mapping[str, Sheet] = {
    "/v1/chat/completions": Sheet(asks=openai.Chat, answers=passed.ChatCompletion, example=samples.CHAT),
    "/v1/completions": Sheet(
        asks=openai_bodies.Completion, answers=passed.TextCompletion, example=samples.COMPLETION
    ),
    "/v1/embeddings": Sheet(asks=openai.Embeddings, answers=passed.EmbeddingList, example=samples.EMBEDDINGS),
    "/v1/responses": Sheet(
        asks=openai_responses.Response, answers=passed.ResponseObject, example=samples.RESPONSE
    ),
    "/v1/responses/": Sheet(answers=passed.ResponseObject, deleted=passed.Deleted),
    "/v1/moderations": Sheet(
        asks=openai_bodies.Moderation, answers=passed.ModerationResult, example=samples.MODERATION
    ),
    "/v1/images/generations": Sheet(
        asks=openai_bodies.Image, answers=passed.ImageList, example=samples.IMAGE
    ),
    "/v1/audio/speech": Sheet(asks=openai_bodies.Speech, answers=bytes, example=samples.SPEECH),
    "/v1/audio/transcriptions": Sheet(answers=passed.Transcription, example=samples.TRANSCRIPTION),
    "/v1/rerank": Sheet(asks=openai_bodies.Rerank, answers=passed.RerankResult, example=samples.RERANK),
    "/v1/messages": Sheet(asks=anthropic.Messages, answers=passed.MessageObject, example=samples.MESSAGE),
    "/v1/messages/count_tokens": Sheet(
        asks=anthropic.Prompt, answers=passed.TokenCount, example=samples.COUNT
    ),
    "/v1/models": Sheet(answers=passed.ModelList),
    "/v1/models/": Sheet(answers=passed.ModelObject),
    "/api/v1/gateway/generate": Sheet(
        asks=gateway_v1.Generate, answers=gateway_v1.TextAnswer, example=samples.GENERATE
    ),
    "/api/v1/gateway/generate/stream": Sheet(asks=gateway_v1.Generate, example=samples.GENERATE),
    "/api/v1/gateway/embeddings": Sheet(
        asks=gateway_v1.Embeddings, answers=gateway_v1.VectorsAnswer, example=samples.TEXTS
    ),
    "/api/v1/generate": Sheet(asks=models_v1.Generate, answers=models_v1.Text, example=samples.GENERATE),
    "/api/v1/models": Sheet(answers=models_v1.Models),
    "/query": Sheet(asks=query.Query, answers=query.Answer, example=samples.QUERY),
    "/chat": Sheet(asks=query.Query, answers=query.Turn, example=samples.QUERY),
    "/stream": Sheet(asks=query.Query, example=samples.QUERY),
    "/embeddings": Sheet(asks=query.Embeddings, answers=query.Vector, example=samples.TEXT),
    "/admin/reset-limits": Sheet(asks=query.Reset, answers=dict[str, Any], example=encode(query.Reset())),
    "/cache/clear": Sheet(asks=Clearing, answers=dict[str, Any], example=encode(Clearing())),
    "/rate-limit/status": Sheet(answers=LimitsFact, wishes=("user_id",)),
    "/api/v1/usage": Sheet(answers=dict[str, Any], wishes=("window", "limit", "before")),
    "/api/v1/usage/stats": Sheet(answers=dict[str, Any], wishes=("window",)),
}


def sheet_of(path: str, door: Door) -> Sheet:
    """What is known of a door's bodies; of one that only tells, what its function says it tells."""
    sheet = SHEETS.get(path, NOTHING_SAID)
    if sheet is NOTHING_SAID and isinstance(door, Telling) and door.render is encode:
        return Sheet(answers=get_type_hints(door.tell).get("return", Any))
    return sheet


def lane_doors() -> Mapping[str, Door]:
    """Every address of the lane; one that ends with a slash is followed by a name."""
    return {**DOORS, **PREFIXES}
