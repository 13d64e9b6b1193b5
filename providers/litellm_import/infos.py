"""`model_info`: what kind of model it is, how much it takes, and what it can do."""

from msgspec import Struct

from providers.litellm_import.findings import Part, Untaken

_KINDS = {
    "chat": "chat",
    "completion": "chat",
    "responses": "chat",
    "embedding": "embedding",
    "image_generation": "image",
    "audio_transcription": "audio",
    "audio_speech": "audio",
    "rerank": "rerank",
    "moderation": "moderation",
}
_GUESSES = (
    ("embed", "embedding"),
    ("rerank", "rerank"),
    ("moderation", "moderation"),
    ("whisper", "audio"),
    ("tts", "audio"),
    ("transcribe", "audio"),
    ("dall-e", "image"),
    ("gpt-image", "image"),
)
_SUPPORTS = "supports_"
_CALLED = {"function_calling": "tools"}
_REASONS = {
    "id": "deployments have numbers of their own here",
    "base_model": "prices are found by the provider's own name for a model: give prices here, or in our file",
}


class Info(Struct, frozen=True, kw_only=True):
    """What is known of a model."""

    kind: str
    spoken: bool = False
    context_window: Part
    max_output: Part
    capabilities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    blocked: bool = False


def info_take(part: Part, upstream: str) -> Info:
    """Read it; an unknown mode refuses the model, since nobody could call it."""
    if not part.get("team_id").says_nothing:
        raise Untaken("it is one team's alone, and models here are everybody's, as far as their keys reach")
    kind = _kind(part.get("mode"), upstream)
    for word, reason in _REASONS.items():
        part.get(word).leave_wrong(reason)
    blocked = part.get("blocked")
    longest, most = part.get("max_output_tokens"), part.get("max_tokens")
    if not longest.says_nothing and not most.says_nothing:
        most.change("max_output_tokens says it too, and comes first")
    return Info(
        kind=kind,
        spoken=kind == "audio",
        context_window=part.get("max_input_tokens"),
        max_output=most if longest.says_nothing else longest,
        capabilities=_capabilities(part),
        groups=tuple(part.get("access_groups").texts()),
        blocked=not blocked.says_nothing and bool(blocked.flag()),
    )


def _kind(mode: Part, upstream: str) -> str:
    if mode.says_nothing:
        name = upstream.lower()
        return next((kind for word, kind in _GUESSES if word in name), "chat")
    kind = _KINDS.get(mode.text())
    if kind is None:
        raise Untaken("there is no door for models of this mode")
    return kind


def _capabilities(part: Part) -> tuple[str, ...]:
    found = []
    for name, one in part.items():
        if name.startswith(_SUPPORTS) and isinstance(one.value, bool) and one.flag():
            word = name.removeprefix(_SUPPORTS)
            found.append(_CALLED.get(word, word))
    return tuple(found)
