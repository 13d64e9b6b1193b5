"""What a script asks, as the engine takes it."""

from collections.abc import Mapping
from typing import Any

from gateway.call import Ask
from gateway.errors import FailedValidation, InvalidRequest
from gateway.plain import embeddings_ask, messages_ask

DIALECT = "python"

_OURS = frozenset({"messages", "model", "input"})
_COUNTS = ("max_tokens", "max_completion_tokens", "n")
_LONGEST_NAME = 200


def text_ask(prompt: object, model: str, options: Mapping[str, Any], *, stream: bool) -> Ask:
    """A prompt; options that the gateway does not know are the provider's to understand."""
    if not isinstance(prompt, str) or not prompt:
        raise InvalidRequest("The prompt must be a text that says something.", param="prompt")
    rest = dict(_checked(options))
    system = rest.pop("system", None)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    try:
        return messages_ask(DIALECT, messages, model=model, stream=stream, options=rest)
    except (TypeError, ValueError) as error:
        raise FailedValidation("An option is not something that JSON can say.") from error


def vectors_ask(text: object, model: str, options: Mapping[str, Any]) -> Ask:
    """One text, or several."""
    texts: list[Any] = text if isinstance(text, list) else [text]
    if not texts or not all(isinstance(one, str) and one for one in texts):
        raise InvalidRequest("The text must be a text, or several, that say something.", param="text")
    if options.get("encoding_format", "float") != "float":
        raise FailedValidation("Vectors are lists of floats here.", param="encoding_format")
    try:
        return embeddings_ask(DIALECT, texts, model=model, options=_checked(options))
    except (TypeError, ValueError) as error:
        raise FailedValidation("An option is not something that JSON can say.") from error


def tenant_of(options: dict[str, Any]) -> str:
    """Whom the call is for; taken out of the options."""
    tenant = options.pop("tenant_id", None) or ""
    if not isinstance(tenant, str) or len(tenant) > _LONGEST_NAME:
        raise FailedValidation("A tenant's id is a text of 200 characters at most.", param="tenant_id")
    return tenant


def seconds_of(options: dict[str, Any]) -> float | None:
    """How long the call may take in all; taken out of the options."""
    seconds = options.pop("timeout", None)
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0
    ):
        raise FailedValidation("A timeout is a number of seconds above 0.", param="timeout")
    return seconds


def _checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in _OURS & options.keys():
        raise FailedValidation(f"'{name}' is the gateway's to say.", param=name)
    for name in _COUNTS:
        count = options.get(name)
        if count is not None and (type(count) is not int or count < 1):
            raise FailedValidation(f"'{name}' is a whole number above 0.", param=name)
    return options
