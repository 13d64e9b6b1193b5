"""How far an ask reaches: what its body sets in motion, read before anybody is asked to do it.

What cannot be read has no end. A call of that sort is refused where there is a hard budget.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway.bounds import OVERHEAD_TOKENS, Extent, has_opaque_part
from gateway.call import Ask, Kind, Members
from gateway.server_tools import unwritten_tokens, uses_of

LOWEST_BYTES_A_SECOND = 1_000
"""8 kbit/s, the least that MP3 knows: nothing is heard longer than its bytes last at that."""

SLOWEST_BYTES_A_SECOND = 1
"""No text is spoken slower than a character a second."""

SOUND_TOKENS_A_SECOND = 50
"""More than any tokenizer of sound makes, and than anybody says."""

PIECES_A_SEARCH = 100
LEAST_BYTES_A_PIECE = 256
"""Who bills reranking by the search takes long documents apart, and at most so many pieces as one search."""

_UNSEEN = frozenset({"previous_response_id", "conversation", "image", "mask", "images", "container"})
"""Members by which a prompt holds what is not in the request, or what its bytes do not measure."""

_TOOLS = frozenset({"web_search_options", "tools", "plugins", "mcp_servers", "search_parameters"})
_FAR_REACHING = _UNSEEN | _TOOLS | {"input", "prompt", "best_of", "prediction", "service_tier"}
_FAR_REACHING |= {"speed", "output_config", "output_format"}
_PROVIDERS_CHOICE = frozenset({"", "auto"})

_NULL = Raw(b"null")
_any = msgspec.json.Decoder()
_list = msgspec.json.Decoder(list[Raw])


def extent_of(ask: Ask) -> Extent:
    """How far an ask reaches."""
    return _READ[ask.kind](ask, len(ask.body) + OVERHEAD_TOKENS)


def _chat(ask: Ask, size: int) -> Extent:
    members = ask.members
    unseen = has_opaque_part(members.get("messages"))
    if "system" in members:
        unseen = unseen or has_opaque_part(members["system"])
    prompt = None if unseen else size
    extent = Extent(kind="chat", prompt=prompt, answer=ask.max_output, choices=ask.choices)
    return extent if _FAR_REACHING.isdisjoint(members) else _reaching(extent, members)


def _embedding(_: Ask, size: int) -> Extent:
    return Extent(kind="embedding", prompt=size, choices=0)


def _moderation(ask: Ask, size: int) -> Extent:
    unseen = has_opaque_part(ask.members.get("input"))
    return Extent(kind="moderation", prompt=None if unseen else size, choices=0)


def _count(_: Ask, __: int) -> Extent:
    return Extent(kind="count", prompt=0, choices=0)


def _rerank(ask: Ask, size: int) -> Extent:
    """The question is read again with each of the documents."""
    members = ask.members
    try:
        documents = len(_list.decode(members.get("documents", Raw(b"[]"))))
    except msgspec.DecodeError:
        return Extent(kind="rerank", prompt=None, choices=0)
    question = len(bytes(members.get("query", Raw())))
    searches = -(-(documents + size // LEAST_BYTES_A_PIECE) // PIECES_A_SEARCH)
    prompt = size + documents * question
    return Extent(kind="rerank", prompt=prompt, choices=0, besides={"search": searches})


def _image(ask: Ask, size: int) -> Extent:
    prompt = size if _UNSEEN.isdisjoint(ask.members) else None
    pictures = ask.choices
    return Extent(
        kind="image", prompt=prompt, answer=ask.max_output, choices=pictures, besides={"image": pictures}
    )


def _speech(ask: Ask, size: int) -> Extent:
    seconds = -(-len(bytes(ask.members.get("input", Raw(ask.body)))) // SLOWEST_BYTES_A_SECOND)
    return _sounding(ask, prompt=size, seconds=seconds)


def _transcription(ask: Ask, size: int) -> Extent:
    seconds = -(-len(ask.body) // LOWEST_BYTES_A_SECOND)
    told = len(bytes(ask.members.get("prompt", Raw())))
    prompt = seconds * SOUND_TOKENS_A_SECOND + told + OVERHEAD_TOKENS
    return _sounding(ask, prompt=prompt, seconds=seconds)


def _sounding(ask: Ask, *, prompt: int, seconds: int) -> Extent:
    answer = ask.max_output or seconds * SOUND_TOKENS_A_SECOND + OVERHEAD_TOKENS
    return Extent(kind=ask.kind, prompt=prompt, answer=answer, besides={"audio_second": seconds})


_READ: Mapping[Kind, Callable[[Ask, int], Extent]] = {
    "chat": _chat,
    "embedding": _embedding,
    "image": _image,
    "speech": _speech,
    "transcription": _transcription,
    "moderation": _moderation,
    "rerank": _rerank,
    "count": _count,
}


def _reaching(extent: Extent, members: Members) -> Extent:
    """A chat with members that take it further than its messages."""
    given = {name: value for name, value in members.items() if bytes(value) != b"null"}
    foretold = given.get("prediction")
    extent = replace(
        extent,
        prompt=None if _holds_unseen(given) else extent.prompt,
        choices=_most_choices(extent.choices, given),
        predicted=0 if foretold is None else len(bytes(foretold)),
        tier=_tier_asked(given),
        unwritten=unwritten_tokens(given),
    )
    if _TOOLS.isdisjoint(given):
        return extent
    uses = uses_of(given)
    if uses is None:
        return replace(extent, passes=None)
    besides = {"search": uses.searches} if uses.searches else extent.besides
    return replace(extent, passes=uses.times + 1, besides=besides)


def _holds_unseen(given: Members) -> bool:
    """Whether the prompt holds what is not in the request: an earlier answer, a stored prompt, a picture."""
    stored = bytes(given.get("prompt", Raw())).startswith(b"{")
    return stored or not _UNSEEN.isdisjoint(given) or has_opaque_part(given.get("input"))


def _most_choices(choices: int | None, given: Members) -> int | None:
    """Those that are made count, not those that are kept."""
    if choices is None or "best_of" not in given:
        return choices
    made = _any.decode(given["best_of"])
    return max(choices, made) if type(made) is int else None


def _tier_asked(given: Members) -> str | None:
    if _any.decode(given.get("speed", _NULL)) == "fast":
        return "fast"
    asked = _any.decode(given.get("service_tier", _NULL))
    if not isinstance(asked, str) or asked in _PROVIDERS_CHOICE:
        return None
    return asked
