"""Web pages of other origins that may call, as the operator has named them.

They send their key in a header and nothing by themselves: no credentials of a browser are ever accepted.
"""

from collections.abc import Collection

from api.asgi import Headers

ANY = "*"
_SHOWN = ", ".join(
    (
        "x-request-id, retry-after, x-gateway-provider, x-gateway-model, x-gateway-cache, x-gateway-cost-usd",
        "x-gateway-overhead-ms, x-ratelimit-limit-requests, x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    )
).encode()
_PREFLIGHT = (
    b"access-control-allow-methods: GET, HEAD, POST, DELETE, OPTIONS\r\n"
    b"access-control-allow-headers: authorization, *\r\n"
    b"access-control-max-age: 600\r\n"
)


class Cors:
    """Judges `Origin` headers."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = ANY in origins

    def lines(self, headers: Headers) -> bytes:
        """What a browser has to read before it shows an answer to a page."""
        origin = headers.get(b"origin")
        if origin is None or not self._origins:
            return b""
        if not self._any and origin not in self._origins:
            return b"vary: origin\r\n"
        told = b"access-control-allow-origin: %b\r\nvary: origin\r\naccess-control-expose-headers: %b\r\n"
        lines = told % (b"*" if self._any else origin, _SHOWN)
        return lines + _PREFLIGHT if b"access-control-request-method" in headers else lines
