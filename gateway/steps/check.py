"""Step 7: whether a reply is one, and whether it is what was asked for."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.call import Ask, Reply
from gateway.errors import ProviderEmpty, ProviderError
from gateway.principal import Checks
from gateway.schemas import UnusableSchema, breach_of


class AnswerInvalid(ProviderError):
    """The answer is not what was asked for."""

    code = "answer_invalid"
    retryable = False
    counts = False


class Problem(Struct, frozen=True, kw_only=True, gc=False):
    """What is wrong with an answer, in words that say nothing of what is in it."""

    told: str
    text: str = ""
    """What was said, for whoever is to say it better."""
    mends: bool = True
    """Whether asking again may help."""


class _Message(Struct, frozen=True):
    content: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    audio: Any = None


class _Choice(Struct):
    message: _Message = _Message()
    finish_reason: str | None = None


class _Answer(Struct):
    choices: list[_Choice]


class _Format(Struct):
    type: str = ""
    json_schema: Any = None


_answer = msgspec.json.Decoder(_Answer).decode
_format = msgspec.json.Decoder(_Format).decode
_json = msgspec.json.Decoder().decode

_CUT = {
    "length": Problem(told="it was cut off before its end", mends=False),
    "content_filter": Problem(told="its provider withheld a part of it", mends=False),
}
_SILENT = Problem(told="it says nothing")


def check_reply(reply: Reply) -> None:
    """An answer without a single choice or vector is a failure of the provider, and another may do better."""
    if reply.empty:
        raise ProviderEmpty


def problem_of(ask: Ask, body: bytes, checks: Checks) -> Problem | None:
    """What is wrong with a whole answer to a chat; nothing is known of other answers.

    Calls of tools, refusals and sounds are answers of another kind: of them nothing is asked here.
    """
    if checks.level == "off" or not is_checked(ask):
        return None
    try:
        choices = _answer(body).choices
    except msgspec.DecodeError:
        return None  # of a form that nobody here knows
    told = _read_format(ask.members.get("response_format", Raw(b"null")))
    return next(filter(None, (_problem_with(choice, told, checks) for choice in choices)), None)


def is_checked(ask: Ask) -> bool:
    """A stream is on its way before it is whole, and other kinds have formats of their own."""
    return ask.kind == "chat" and ask.format == "openai" and ask.task == "chat" and not ask.stream


def said_problem(text: str, response_format: object, checks: Checks) -> Problem | None:
    """What is wrong with a text that is to be of this format."""
    told = _read_format(msgspec.json.encode(response_format))
    return _problem_with(_Choice(_Message(content=text)), told, checks)


def _read_format(value: Raw | bytes) -> _Format:
    """What an answer is to be; a text, where nobody said so in words that are known here."""
    try:
        return _format(value)
    except msgspec.DecodeError:
        return _Format()


def _problem_with(choice: _Choice, told: _Format, checks: Checks) -> Problem | None:
    message = choice.message
    if checks.level == "strict" and choice.finish_reason in _CUT:
        return _CUT[choice.finish_reason]
    if message.tool_calls or message.function_call or message.refusal or message.audio:
        return None
    text = _text_of(message.content)
    if not text.strip():
        return _SILENT
    lowered = text.lower()
    if any(word.lower() in lowered for word in checks.forbidden):
        return Problem(told="it has a word in it that is forbidden here")
    return _problem_with_json(text, told, checks) if told.type.startswith("json_") else None


def _problem_with_json(text: str, told: _Format, checks: Checks) -> Problem | None:
    try:
        value = _json(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Problem(told="it is not JSON", text=text)
    if told.type == "json_object" and not isinstance(value, dict):
        return Problem(told="it is not a JSON object", text=text)
    schema = told.json_schema.get("schema") if isinstance(told.json_schema, dict) else None
    if told.type != "json_schema" or schema is None or checks.level == "basic":
        return None
    try:
        breach = breach_of(schema, value)
    except UnusableSchema:
        return Problem(told="its schema cannot be used to check it", text=text, mends=False)
    if breach is None:
        return None
    return Problem(told=f"it breaks '{breach.keyword}' at {breach.path} of its schema", text=text)


def _text_of(content: object) -> str:
    """A text, or parts of one."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def asked_again(members: dict[str, Raw], problem: Problem) -> dict[str, Raw]:
    """The members of a chat that goes on with what was wrong; silence is asked the same once more."""
    if not problem.text or "messages" not in members:
        return members
    again = [
        {"role": "assistant", "content": problem.text},
        {"role": "user", "content": f"That answer is of no use: {problem.told}. {_AGAIN}"},
    ]
    messages = msgspec.json.decode(members["messages"], type=list[Raw])
    turns = [*map(bytes, messages), *map(msgspec.json.encode, again)]
    return members | {"messages": Raw(b"[%b]" % b",".join(turns))}


_AGAIN = "Answer once more, with nothing but what was asked for."
