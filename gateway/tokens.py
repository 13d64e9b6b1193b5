"""Tokens counted here: an estimate for answers whose provider did not count, and a bound for prompts."""

import asyncio
import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_DEFAULT_VOCABULARY = "o200k_base"
_COUNTED_WHOLE = 65_536
"""Longer texts are counted by a sample, or in pieces: some take a tokenizer quadratic time."""
_TOKENS_A_CUT = 16


class TokenCounter:
    """Counts with the vocabularies that ship inside the litellm package; nothing is downloaded."""

    def __init__(self) -> None:
        self._encodings: dict[str, Any] = {}

    async def count(self, texts: Iterable[str]) -> int:
        """Tokens of some texts, counted off the loop."""
        return await asyncio.to_thread(self.count_now, "".join(texts))

    def count_now(self, text: str) -> int:
        """Tokens of a text."""
        if not text:
            return 0
        sample = text[:_COUNTED_WHOLE]
        counted = len(self._encoding(_DEFAULT_VOCABULARY).encode_ordinary(sample))
        return -(-counted * len(text) // len(sample))

    async def most(self, body: bytes, vocabularies: Iterable[str]) -> dict[str, int]:
        """By vocabulary, the most tokens that a text can have, counted off the loop."""
        names = tuple(vocabularies)
        return await asyncio.to_thread(self.most_now, body.decode(), names) if names else {}

    def most_now(self, text: str, vocabularies: Iterable[str]) -> dict[str, int]:
        """The same, piece by piece; a word that a cut goes through counts for what it may become."""
        pieces = [text[at : at + _COUNTED_WHOLE] for at in range(0, len(text), _COUNTED_WHOLE)]
        cuts = _TOKENS_A_CUT * max(0, len(pieces) - 1)
        return {
            name: cuts + sum(len(self._encoding(name).encode_ordinary(piece)) for piece in pieces)
            for name in vocabularies
        }

    def _encoding(self, name: str) -> Any:
        if name not in self._encodings:
            self._encodings[name] = _load_encoding(name)
        return self._encodings[name]


def _load_encoding(name: str) -> Any:
    import tiktoken

    package = find_spec("litellm")
    if package is not None and package.submodule_search_locations:
        shipped = Path(package.submodule_search_locations[0], "litellm_core_utils", "tokenizers")
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(shipped))
    return tiktoken.get_encoding(name)
