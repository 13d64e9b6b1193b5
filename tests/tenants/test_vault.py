"""Kept answers are ciphertext, and open as long as their key is in the ring."""

from base64 import b64encode

import pytest
from django.conf import settings

from tenants.secrets import SecretUnreadable
from tenants.vault import RingVault

OLD, NEW = (f"{number}:{b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
PLAIN = b"Fine words of an answer."


def test_what_is_sealed_shows_nothing_and_opens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "GATEWAY_KEY_RING", OLD)
    sealed = RingVault().seal(PLAIN)
    assert PLAIN not in sealed
    assert RingVault().seal(PLAIN) != sealed
    assert RingVault().open(sealed) == PLAIN


def test_a_newer_key_leaves_older_things_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "GATEWAY_KEY_RING", OLD)
    sealed = RingVault().seal(PLAIN)
    monkeypatch.setattr(settings, "GATEWAY_KEY_RING", f"{OLD},{NEW}")
    assert RingVault().open(sealed) == PLAIN
    monkeypatch.setattr(settings, "GATEWAY_KEY_RING", NEW)
    with pytest.raises(SecretUnreadable, match="key 1"):
        RingVault().open(sealed)


@pytest.mark.parametrize("at", [0, 8, -1])
def test_what_was_tampered_with_does_not_open(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "GATEWAY_KEY_RING", OLD)
    sealed = bytearray(RingVault().seal(PLAIN))
    sealed[at] ^= 1
    with pytest.raises(SecretUnreadable):
        RingVault().open(bytes(sealed))
