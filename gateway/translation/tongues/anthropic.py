"""Anthropic's Messages, asked by those who speak OpenAI's format."""

from typing import Any

from gateway.translation.library import part
from gateway.translation.tongue import Listener, Told, Tongue

_MAXIMA = {"max_tokens", "max_completion_tokens"}
_NAMES = "_anthropic_tool_name_map"
"""Under which litellm notes the tools whose names it had to change."""


class AnthropicTongue(Tongue):
    """As the wire of Anthropic's own dialect asks, at the same address with the same key."""

    CONFIG = "AnthropicConfig"
    ADDRESS = "https://api.anthropic.com/v1"
    UNCOUNTED = {"usage": {"input_tokens": 0, "output_tokens": 0}}
    NATIVE = "anthropic"
    FETCHES = True

    def adapt(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The format demands a maximum: the model's own, or else litellm's for it."""
        if self.most_output is not None and not _MAXIMA & asked.keys():
            asked["max_tokens"] = self.most_output
        if "top_k" in asked:
            self.params["top_k"] = asked.pop("top_k")
        return asked

    def url(self, *, stream: bool) -> str:
        return f"{self.base_url}/messages"

    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = self.config.validate_environment(
            headers={},
            model=self.model,
            messages=self.messages,
            optional_params=self.params,
            litellm_params=self.notes,
            api_key=self.secret or "none",  # else litellm would look for one in the environment
            api_base=self.base_url,
        )
        if not self.secret:
            headers.pop("x-api-key", None)
        return headers

    def body(self, headers: dict[str, str], *, stream: bool) -> dict[str, Any]:
        filtered, body = part("filter_betas")(
            headers=headers,
            request_data=super().body(headers, stream=stream),
            provider="anthropic",
        )
        if filtered is not headers:
            headers.clear()
            headers.update(filtered)
        return dict(body)

    def listen(self) -> Listener:
        stream = part("AnthropicStream")(
            streaming_response=iter(()),
            sync_stream=True,
            json_mode=self.json_mode,
            tool_name_reverse_map=self.notes.get(_NAMES),
        )
        return _Listener(stream.chunk_parser)


class _Listener(Listener):
    def note(self, told: Told) -> None:
        self.stopped = self.stopped or told.get("type") == "message_delta"
        self.ended = told.get("type") == "message_stop"

    def parse(self, told: Told) -> Any:
        return None if told.get("type") in {"ping", "message_stop"} else super().parse(told)
