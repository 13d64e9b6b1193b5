"""Ollama's own API; its `/v1` needs no translation."""

from collections.abc import Mapping
from typing import Any

from gateway.call import Usage
from gateway.translation.asked import no_place
from gateway.translation.counts import ollama_usage
from gateway.translation.frames import Framing, LineFraming
from gateway.translation.library import part
from gateway.translation.tongue import Listener, Told, Tongue

_OPTIONS = frozenset({"frequency_penalty", "presence_penalty", "top_k"})
"""Options of Ollama's that litellm leaves out, or tells as another one."""


class OllamaTongue(Tongue):
    """A chat's answer is one line; a stream's is many."""

    CONFIG = "OllamaConfig"
    ADDRESS = "http://localhost:11434"

    def adapt(self, asked: dict[str, Any]) -> dict[str, Any]:
        choice = asked.pop("tool_choice", None)
        if choice == "none":
            asked.pop("tools", None)
        elif choice is not None:
            raise no_place("tool_choice")
        self.params |= {name: asked.pop(name) for name in _OPTIONS & asked.keys()}
        return asked

    def url(self, *, stream: bool) -> str:
        return f"{self.base_url}/api/chat"

    def body(self, headers: dict[str, str], *, stream: bool) -> dict[str, Any]:
        self.params["stream"] = stream
        return super().body(headers, stream=stream)

    def read(self, told: Told, body: bytes, headers: Mapping[str, str]) -> Any:
        """As the only piece of a stream: litellm's reader of whole answers counts tokens by itself."""
        chunk = self.listen().parse({**told, "done": True})
        choice = chunk.choices[0]
        response = part("ModelResponse")(model=self.model)
        response.choices[0].message = part("Message")(
            **choice.delta.model_dump(exclude_none=True, warnings=False)
        )
        response.choices[0].finish_reason = part("map_finish_reason")(choice.finish_reason)
        return response

    def usage(self, told: Told) -> Usage | None:
        return ollama_usage(told)

    def listen(self) -> Listener:
        return _Listener(part("OllamaStream")(streaming_response=iter(()), sync_stream=True).chunk_parser)


class _Listener(Listener):
    """The last line says that it is, and counts."""

    def framing(self) -> Framing:
        return LineFraming()

    def note(self, told: Told) -> None:
        if told.get("done") is True:
            self.usage = ollama_usage(told)
            self.stopped = self.ended = True
