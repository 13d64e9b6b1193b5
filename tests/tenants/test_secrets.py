"""Secrets at rest."""

from base64 import b64encode
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from tenants.secrets import SecretUnreadable, key_ring, peppers, secret_open, secret_resolve, secret_seal

ONE, TWO = (f"{number}:{b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))


@pytest.fixture(autouse=True)
def first_ring(settings: Settings) -> None:
    """A ring of one key."""
    settings.GATEWAY_KEY_RING = ONE


def test_a_sealed_secret_opens_again() -> None:
    envelope = secret_seal(plain="sk-upstream")
    assert envelope.startswith("g1:1:")
    assert "sk-upstream" not in envelope
    assert envelope != secret_seal(plain="sk-upstream")
    assert secret_open(envelope=envelope) == secret_resolve(reference=envelope) == "sk-upstream"


def test_the_highest_key_encrypts_and_older_ones_still_decrypt(settings: Settings) -> None:
    old = secret_seal(plain="sk-old")
    settings.GATEWAY_KEY_RING = f"{TWO}, {ONE}"
    assert secret_seal(plain="sk-new").startswith("g1:2:")
    assert secret_open(envelope=old) == "sk-old"
    settings.GATEWAY_KEY_RING = TWO
    with pytest.raises(SecretUnreadable, match="needs key 1"):
        secret_open(envelope=old)


def test_an_envelope_opens_for_its_own_purpose_only() -> None:
    envelope = secret_seal(plain="sk-upstream", purpose="webhook")
    with pytest.raises(SecretUnreadable, match="another use"):
        secret_open(envelope=envelope)


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:-6] + "AAAA==", lambda text: text[:12], lambda text: text + "!"]
)
def test_a_damaged_envelope_is_refused_without_its_contents(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(SecretUnreadable, match="damaged") as raised:
        secret_open(envelope=spoil(secret_seal(plain="sk-upstream")))
    assert raised.value.__cause__ is None


def test_references_point_at_variables_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sk-of-the-variable")
    (tmp_path / "key").write_text("sk-of-the-file\n")
    assert secret_resolve(reference="env:UPSTREAM_KEY") == "sk-of-the-variable"
    assert secret_resolve(reference=f"file:{tmp_path}/key") == "sk-of-the-file"


@pytest.mark.parametrize("reference", ["env:NOWHERE_TO_BE_FOUND", "file:/nowhere/to/be/found"])
def test_a_missing_secret_is_named_by_its_reference(reference: str) -> None:
    with pytest.raises(SecretUnreadable, match=reference):
        secret_resolve(reference=reference)


def test_a_bare_secret_is_no_reference_and_is_not_repeated() -> None:
    with pytest.raises(SecretUnreadable) as raised:
        secret_resolve(reference="sk-typed-in-the-wrong-place")
    assert "sk-typed" not in str(raised.value)


def test_a_ring_does_not_print_its_keys() -> None:
    assert "keys" not in repr(key_ring())
    assert "keys" not in repr(peppers())


@pytest.mark.parametrize("ring", ["", "1", "one:AAAA", "1:AAAA", "1:not base64", f"{ONE},{ONE}"])
def test_a_broken_ring_is_refused_by_name_and_not_repeated(settings: Settings, ring: str) -> None:
    settings.GATEWAY_KEY_RING = ring
    with pytest.raises(ImproperlyConfigured, match="GATEWAY_KEY_RING") as raised:
        key_ring()
    assert not ring or ring not in str(raised.value).replace("number:base64", "")
