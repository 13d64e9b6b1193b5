"""The callables of ASGI, named once, and of the one extension that is ours."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Headers = Mapping[bytes, bytes]
"""A request's headers, names in lower case."""
Receive = Callable[[], Awaitable[Message]]
WriteWhole = Callable[[int, bytes, bytes], bool]
"""Takes status, lines of headers and body of an answer; whether it could be written at once."""
Send = Callable[[Message], Awaitable[None]]
WHOLE_ANSWER = "gateway.whole_answer"
ENDING = "gateway.ending"
"""The type of a message to those who hold a socket: the server ends once they have."""
App = Callable[[Scope, Receive, Send], Awaitable[None]]
