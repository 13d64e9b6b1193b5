"""A request to a provider that takes its key as a bearer."""

from gateway.call import JSON
from gateway.catalog import Provider
from gateway.exchange import Request


def bearer_request(provider: Provider, path: str, body: bytes, media: str = JSON) -> Request:
    """A request below a provider's address, with its key and headers."""
    headers = {"content-type": media, "accept-encoding": "identity", **provider.headers}
    if provider.secret is not None:
        headers["authorization"] = f"Bearer {provider.secret.reveal()}"
    return Request(
        url=provider.base_url + path,
        headers=headers,
        body=body,
        connect_timeout=provider.timeouts.connect,
    )
