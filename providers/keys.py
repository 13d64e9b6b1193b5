"""Stores the secrets of provider keys."""

from providers.models import ProviderKey
from providers.validators import SECRET_REFERENCES
from tenants.secrets import secret_seal

_SHOWN_WHEN_LONGER_THAN = 16


def provider_key_secret_set(*, key: ProviderKey, secret: str) -> None:
    """Let an unsaved or saved key hold a secret: a reference as it is, a secret itself encrypted."""
    if secret.startswith(SECRET_REFERENCES):
        key.secret, key.last_four = secret, ""
        return
    key.secret = secret_seal(plain=secret)
    key.last_four = secret[-4:] if len(secret) > _SHOWN_WHEN_LONGER_THAN else ""
