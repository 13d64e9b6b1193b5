"""What the engine keeps of calls, encrypted under the key ring."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.secrets import SecretUnreadable, key_ring

_PURPOSE = b"kept answer"
_NUMBER_BYTES, _NONCE_BYTES = 4, 12


class RingVault:
    """Seals under the newest key, and opens under the key that a thing was sealed with."""

    def seal(self, plain: bytes) -> bytes:
        """Encrypt."""
        ring, nonce = key_ring(), os.urandom(_NONCE_BYTES)
        number = ring.newest.to_bytes(_NUMBER_BYTES, "big")
        return number + nonce + AESGCM(ring.keys[ring.newest]).encrypt(nonce, plain, _PURPOSE)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what was sealed here, or `SecretUnreadable`."""
        number = int.from_bytes(sealed[:_NUMBER_BYTES], "big")
        key = key_ring().keys.get(number)
        if key is None:
            raise SecretUnreadable(f"What was kept needs key {number}, which the key ring lacks.")
        nonce = sealed[_NUMBER_BYTES : _NUMBER_BYTES + _NONCE_BYTES]
        try:
            return AESGCM(key).decrypt(nonce, sealed[_NUMBER_BYTES + _NONCE_BYTES :], _PURPOSE)
        except (ValueError, InvalidTag):
            raise SecretUnreadable(f"What was kept under key {number} is damaged.") from None
