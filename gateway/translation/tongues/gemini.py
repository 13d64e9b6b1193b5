"""Google's Gemini."""

from typing import Any

from gateway.call import Usage
from gateway.translation.counts import gemini_usage
from gateway.translation.library import Silence, part
from gateway.translation.tongue import Listener, Told, Tongue


class GeminiTongue(Tongue):
    """The key goes into a header, never into the address."""

    CONFIG = "GeminiConfig"
    UNCOUNTED = {"usageMetadata": {"promptTokenCount": 0, "totalTokenCount": 0}}
    ADDRESS = "https://generativelanguage.googleapis.com/v1beta"

    def adapt(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "top_k" in asked:
            self.params["top_k"] = asked.pop("top_k")
        return asked

    def url(self, *, stream: bool) -> str:
        task = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{self.base_url}/models/{self.model_in_url}:{task}"

    def headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self.secret} if self.secret else {}

    def body(self, headers: dict[str, str], *, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = part("gemini_body")(
            messages=self.messages,
            model=self.model,
            optional_params=self.params,
            custom_llm_provider="gemini",
            litellm_params=self.notes,
            cached_content=None,
        )
        return body

    def usage(self, told: Told) -> Usage | None:
        return _usage(told)

    def listen(self) -> Listener:
        wanted = self.params.get("candidate_count") or 1
        stream = part("GeminiStream")(
            streaming_response=iter(()), sync_stream=True, logging_obj=Silence(self.params)
        )
        return _Listener(stream.chunk_parser, wanted)


class _Listener(Listener):
    """The stream has no end marker: it has ended when each candidate stopped and the counts came.

    Where they do not come, the end of the bytes is the end, which is told by an empty event.
    """

    def __init__(self, parse: Any, wanted: int) -> None:
        super().__init__(parse)
        self._wanted = wanted
        self._finished: set[Any] = set()

    def note(self, told: Told) -> None:
        self._finished |= _finished(told)
        self.usage = _usage(told) or self.usage
        self.stopped = self.stopped or _blocked(told) or len(self._finished) >= self._wanted
        self.ended = self.stopped and "usageMetadata" in told

    def parse(self, told: Told) -> Any:
        """litellm says of every piece that it is the last, unless tools are called."""
        finished, blocked = _finished(told), _blocked(told)
        chunk = super().parse(told)
        for choice in chunk.choices:
            if choice.index not in finished and not blocked:
                choice.finish_reason = None
        return chunk


def _finished(told: Told) -> set[Any]:
    candidates = told.get("candidates")
    listed = [one for one in candidates if isinstance(one, dict)] if isinstance(candidates, list) else []
    return {one.get("index") or 0 for one in listed if one.get("finishReason")}


def _blocked(told: Told) -> bool:
    feedback = told.get("promptFeedback")
    return isinstance(feedback, dict) and bool(feedback.get("blockReason"))


def _usage(told: Told) -> Usage | None:
    counts = told.get("usageMetadata")
    return gemini_usage(counts) if isinstance(counts, dict) else None
