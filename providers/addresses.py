"""Where a provider's address leads."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_PRIVATE_ENDINGS = (".localhost", ".local", ".internal")


def is_private(base_url: str) -> bool:
    """Whether it stays on this machine or in a network of our own; no address at all is this process."""
    if not base_url:
        return True
    host = urlsplit(base_url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_ENDINGS)
    return address.is_private or address.is_loopback or address.is_link_local
