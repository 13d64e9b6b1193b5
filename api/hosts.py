"""Which host names are served: the lane does not pass Django's check, so it has the same of its own."""

from collections.abc import Sequence

from django.http.request import split_domain_port, validate_host

from gateway.errors import ForeignHost

_REMEMBERED_AT_MOST = 256


class Hosts:
    """Judges `Host` headers."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = list(allowed)
        self._good: set[bytes] = set()

    def check(self, host: bytes) -> None:
        """Raise unless the host is one of ours; good ones are remembered."""
        if host in self._good:
            return
        if not self.serves(host.decode("latin-1")):
            raise ForeignHost
        if len(self._good) < _REMEMBERED_AT_MOST:
            self._good.add(host)

    def serves(self, host: str) -> bool:
        """Whether a host, port included, is ours."""
        domain, _ = split_domain_port(host)
        return bool(domain) and validate_host(domain, self._allowed)
