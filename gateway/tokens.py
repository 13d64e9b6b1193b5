"""Tokens counted here, for answers whose provider did not count them: an estimate, and marked as one."""

import asyncio
import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_DEFAULT_VOCABULARY = "o200k_base"
_COUNTED_WHOLE = 65_536
"""Longer texts are counted by a sample: some texts take a tokenizer quadratic time."""


class TokenCounter:
    """Counts with the vocabularies that ship inside the litellm package; nothing is downloaded."""

    def __init__(self) -> None:
        self._encoding: Any = None

    async def count(self, texts: Iterable[str]) -> int:
        """Tokens of some texts, counted off the loop."""
        return await asyncio.to_thread(self.count_now, "".join(texts))

    def count_now(self, text: str) -> int:
        """Tokens of a text."""
        if not text:
            return 0
        if self._encoding is None:
            self._encoding = _load_encoding()
        sample = text[:_COUNTED_WHOLE]
        counted = len(self._encoding.encode_ordinary(sample))
        return -(-counted * len(text) // len(sample))


def _load_encoding() -> Any:
    import tiktoken

    package = find_spec("litellm")
    if package is not None and package.submodule_search_locations:
        shipped = Path(package.submodule_search_locations[0], "litellm_core_utils", "tokenizers")
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(shipped))
    return tiktoken.get_encoding(_DEFAULT_VOCABULARY)
