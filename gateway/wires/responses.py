"""Responses from a host that has chats only: asked as a chat, and told as a response."""

from collections.abc import Mapping

import msgspec

from gateway import errors
from gateway.bearer import bearer_request
from gateway.call import JSON, Ask, Reply
from gateway.catalog import Deployment
from gateway.exchange import Request
from gateway.failures import failure_of
from gateway.members import is_given
from gateway.metering import openai_usage
from gateway.responses.asking import chat_body
from gateway.responses.streaming import ResponseStream
from gateway.responses.telling import Chat, completed, new_id, output_of, response_of

FORMAT = "openai"
PATHS: Mapping[str, str] = {"response": "/chat/completions"}


class _Answer(Chat, frozen=True):
    usage: msgspec.Raw = msgspec.Raw()


_answer = msgspec.json.Decoder(_Answer)
_encode = msgspec.json.Encoder().encode


def build_request(ask: Ask, deployment: Deployment) -> Request:
    """The chat that is asked for."""
    provider = deployment.provider
    body = chat_body(ask, deployment.upstream, counts=provider.includes_usage)
    return bearer_request(provider, PATHS[ask.task], body)


def read_reply(ask: Ask, _: Mapping[str, str], body: bytes) -> Reply:
    """The chat's answer as a response."""
    try:
        chat = _answer.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise errors.ProviderMalformed from error
    if not chat.choices:
        raise errors.ProviderEmpty
    first = chat.choices[0]
    usage = openai_usage(chat.usage) if is_given(chat.usage) else None
    output = output_of(first.message)
    response = response_of(ask, new_id("resp"), created=chat.created, model=chat.model)
    told = completed(
        response, output, finish_reason=first.finish_reason, usage=usage, service_tier=chat.service_tier
    )
    said = [first.message.content or "", *(str(call.function) for call in first.message.tool_calls or ())]
    return Reply(
        status=200,
        content_type=JSON,
        body=_encode(told),
        usage=usage,
        service_tier=chat.service_tier or "",
        texts=() if usage is not None else tuple(said),
    )


def read_failure(status: int, headers: Mapping[str, str], body: bytes) -> errors.ProviderError:
    """An answer that is an error."""
    return failure_of(status, headers, body)


def open_stream(ask: Ask) -> ResponseStream:
    """The chat's stream as a response's."""
    return ResponseStream(ask)
