"""One chat at a provider whose format litellm writes and reads, whoever the provider is.

A tongue lives as long as one attempt: what it writes a request with, it needs to read the answer.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
from msgspec import Raw

from gateway.call import Usage
from gateway.catalog import Deployment
from gateway.errors import ProviderError
from gateway.failures import failure_of
from gateway.translation.asked import fitting, read_asked, read_messages
from gateway.translation.frames import Framing, SseFraming
from gateway.translation.library import Silence, part

_encode = msgspec.json.Encoder().encode
Told = Mapping[str, Any]


class Written:
    """A request in the provider's format."""

    def __init__(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.url = url
        self.headers = headers
        self.body = body


class Tongue(ABC):
    """What the providers have in common."""

    CONFIG: ClassVar[str]
    ADDRESS: ClassVar[str] = ""
    NATIVE: ClassVar[str] = ""
    """The wire of ours that reads this provider's counts."""
    UNCOUNTED: ClassVar[Mapping[str, Any]] = {}
    """What litellm wants to see of counts where an answer has none; nobody reads it."""
    FETCHES: ClassVar[bool] = False
    """The provider itself fetches what a request points at."""

    def __init__(self, *, model: str, deployment: Deployment) -> None:
        self.model = model
        self.deployment = deployment
        self.provider = deployment.provider
        self.config: Any = part(self.CONFIG)()
        self.params: dict[str, Any] = {}
        self.notes: dict[str, Any] = {}
        self.messages: list[Any] = []
        self.json_mode = False
        self.most_output: int | None = None
        """The longest answer that the call's hold covers, where none was asked for."""

    @property
    def secret(self) -> str:
        """The provider's key; empty where it has none. litellm never looks for another."""
        return "" if self.provider.secret is None else self.provider.secret.reveal()

    @property
    def base_url(self) -> str:
        """Where the provider is."""
        return self.provider.base_url or self.ADDRESS

    @property
    def model_in_url(self) -> str:
        """The model's name, which may be a caller's, as a piece of an address."""
        return quote(self.model, safe="")

    def write(self, members: Mapping[str, Raw], *, stream: bool) -> Written:
        """The request, asked for in OpenAI's format."""
        asked = fitting(self.adapt(read_asked(members)), self.places())
        self.messages = self.config.translate_developer_role_to_system_role(
            read_messages(members, addresses=self.FETCHES)
        )
        params = self.config.map_openai_params(
            non_default_params=asked, optional_params=self.params, model=self.model, drop_params=False
        )
        self.json_mode = bool(params.pop("json_mode", False))
        self.params = params
        headers = self.headers()
        body = self.body(headers, stream=stream)
        return self.sealed(self.url(stream=stream), headers, body)

    def adapt(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What litellm says wrongly, or not at all, is put into `params` by hand."""
        return asked

    def places(self) -> list[str]:
        """The members that the provider's format has a place for."""
        places: list[str] = self.config.get_supported_openai_params(self.model)
        return places

    @abstractmethod
    def url(self, *, stream: bool) -> str:
        """Where to ask."""

    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    def body(self, headers: dict[str, str], *, stream: bool) -> dict[str, Any]:
        """What is asked."""
        body: dict[str, Any] = self.config.transform_request(
            model=self.model,
            messages=self.messages,
            optional_params=self.params,
            litellm_params=self.notes,
            headers=headers,
        )
        body["stream"] = stream
        return body

    def sealed(self, url: str, headers: dict[str, str], body: Mapping[str, Any]) -> Written:
        """The request as it goes out."""
        return Written(url, headers, _encode(body))

    def read(self, told: Told, body: bytes, headers: Mapping[str, str]) -> Any:
        """A whole answer as litellm's response."""
        return self.config.transform_response(
            model=self.model,
            raw_response=Answered({**self.UNCOUNTED, **told}, body, headers),
            model_response=part("ModelResponse")(),
            logging_obj=Silence(self.params),
            request_data={},
            messages=self.messages,
            optional_params=self.params,
            litellm_params=self.notes,
            encoding=None,
            api_key="",
            json_mode=self.json_mode,
        )

    def usage(self, told: Told) -> Usage | None:
        """The provider's own counts in a whole answer, where no wire of ours reads them."""
        return None

    @abstractmethod
    def listen(self) -> "Listener":
        """What follows a streamed answer."""


class Answered:
    """A provider's answer as litellm's readers look at it, which is as httpx shows one."""

    status_code = 200

    def __init__(self, told: Told, body: bytes, headers: Mapping[str, str]) -> None:
        self._told = told
        self._body = body
        self.headers = headers

    @property
    def text(self) -> str:
        """The body."""
        return self._body.decode("utf-8", "replace")

    def json(self) -> Told:
        """The body, read."""
        return self._told


class Listener:
    """Follows one streamed answer, event by event."""

    def __init__(self, parse: Callable[[Any], Any]) -> None:
        self.usage: Usage | None = None
        self.stopped = False
        """The model said its last."""
        self.ended = False
        """So did the provider."""
        self._parse = parse

    def framing(self) -> Framing:
        """How its events are cut out of bytes."""
        return SseFraming()

    def failure(self, told: Told) -> ProviderError | None:
        """What an event says went wrong."""
        error = told.get("error")
        return None if error is None else failed(error)

    def note(self, told: Told) -> None:
        """Take from an event what it counts, and whether it is the last."""

    def parse(self, told: Told) -> Any:
        """What an event says, as litellm's chunk; None where it says nothing."""
        return self._parse(told)


def failed(error: Any) -> ProviderError:
    """An error within a stream, whose status is in it at best."""
    status = error.get("code") if isinstance(error, dict) else None
    told = status if isinstance(status, int) and 400 <= status < 600 else 500
    return failure_of(told, {}, _encode({"error": error}))
