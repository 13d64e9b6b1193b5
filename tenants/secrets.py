"""Secrets at rest: key rings, encrypted envelopes, keyed hashes, references to secrets kept elsewhere.

An envelope reads `g1:<number of the key>:<base64 of nonce and ciphertext>`. Its purpose is authenticated
with it, so that an envelope copied to a place of another purpose does not open there.
"""

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from gateway.errors import GatewayError

PROVIDER_KEY = "provider key"
"""The purpose of a provider key's envelope."""

_FORM = "g1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class SecretUnreadable(GatewayError):
    """A stored secret cannot be read."""

    code = "secret_unreadable"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Numbered keys; the newest is used for what is written, all for what is read."""

    keys: Mapping[int, bytes] = field(repr=False)

    @property
    def newest(self) -> int:
        """The number of the key that new things are made with."""
        return max(self.keys)


def key_ring() -> KeyRing:
    """The keys that encrypt stored secrets."""
    return _ring_read("GATEWAY_KEY_RING", settings.GATEWAY_KEY_RING)


def peppers() -> KeyRing:
    """The peppers that tenants' keys are hashed under."""
    return _ring_read("GATEWAY_PEPPERS", settings.GATEWAY_PEPPERS)


def key_digest(*, key: str, pepper: bytes) -> str:
    """What is stored of a tenant's key."""
    return hash_digest(sha256=key_hash(key), pepper=pepper)


def key_hash(key: str) -> bytes:
    """The SHA-256 of a key; LiteLLM stores it, so its keys can be taken over."""
    return hashlib.sha256(key.encode()).digest()


def hash_digest(*, sha256: bytes, pepper: bytes) -> str:
    """What is stored of a tenant's key, made of the key's SHA-256 alone."""
    return hmac.digest(pepper, sha256, "sha256").hex()


def secret_seal(*, plain: str, purpose: str = PROVIDER_KEY) -> str:
    """Encrypt a secret under the newest key."""
    ring = key_ring()
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(ring.keys[ring.newest]).encrypt(nonce, plain.encode(), purpose.encode())
    return f"{_FORM}:{ring.newest}:{b64encode(sealed).decode()}"


def secret_open(*, envelope: str, purpose: str = PROVIDER_KEY) -> str:
    """Decrypt an envelope that was sealed for the same purpose."""
    form, _, rest = envelope.partition(":")
    number, _, sealed = rest.partition(":")
    if form != _FORM or not number.isdecimal():
        raise SecretUnreadable("The secret is neither env:NAME nor file:PATH nor an envelope.")
    key = key_ring().keys.get(int(number))
    if key is None:
        raise SecretUnreadable(f"The envelope needs key {number}, which the key ring lacks.")
    try:
        raw = b64decode(sealed, validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
    except (ValueError, InvalidTag):
        # From None: the cause could carry what was decrypted.
        raise SecretUnreadable(
            f"The envelope under key {number} is damaged or was made for another use."
        ) from None


def secret_resolve(*, reference: str, purpose: str = PROVIDER_KEY) -> str:
    """The secret that a reference names, or that an envelope holds."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        return _found(os.environ.get(place, ""), reference)
    if kind == "file":
        return _found(_file_text(place), reference)
    return secret_open(envelope=reference, purpose=purpose)


def _found(secret: str, reference: str) -> str:
    if not secret.strip():
        raise SecretUnreadable(f"There is no secret at {reference}.")
    return secret.strip()


def _file_text(place: str) -> str:
    try:
        return Path(place).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


@lru_cache(maxsize=8)
def _ring_read(name: str, text: str) -> KeyRing:
    keys: dict[int, bytes] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        number, _, encoded = part.partition(":")
        try:
            key = b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not number.isdecimal() or len(key) != _KEY_BYTES or int(number) in keys:
            raise ImproperlyConfigured(f"{name} must list number:base64 of 32 bytes, each number once.")
        keys[int(number)] = key
    if not keys:
        raise ImproperlyConfigured(f"{name} lists no key.")
    return KeyRing(keys)
