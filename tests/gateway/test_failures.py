"""What a provider's error means to us."""

from email.utils import formatdate
from time import time

import pytest

from gateway import errors
from gateway.failures import failure_of, retry_after


@pytest.mark.parametrize(
    ("status", "kind", "counts", "retryable", "unknown", "needs_cover"),
    [
        (400, errors.ProviderRejected, False, False, False, False),
        (401, errors.ProviderRefusedKey, False, True, False, False),
        (403, errors.ProviderRefusedKey, False, True, False, False),
        (404, errors.ProviderRefusedKey, False, True, False, False),
        (408, errors.ProviderTimeout, True, True, True, True),
        (422, errors.ProviderRejected, False, False, False, False),
        (429, errors.ProviderOverloaded, False, True, False, False),
        (500, errors.ProviderError, True, True, False, True),
        (502, errors.ProviderError, True, True, False, True),
        (504, errors.ProviderTimeout, True, True, True, True),
        (529, errors.ProviderError, True, True, False, True),
        (302, errors.ProviderError, True, True, False, True),
    ],
)
def test_a_status_says_what_to_do_next(
    status: int, kind: type, counts: bool, retryable: bool, unknown: bool, needs_cover: bool
) -> None:
    failure = failure_of(status, {}, b"{}")
    assert type(failure) is kind
    assert (failure.counts, failure.retryable) == (counts, retryable)
    assert (failure.outcome_unknown, failure.needs_cover) == (unknown, needs_cover)
    assert failure.upstream_status == status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("context_length_exceeded", errors.ContextTooLong),
        ("content_policy_violation", errors.ContentRefused),
        ("content_filter", errors.ContentRefused),
        (42, errors.ProviderRejected),
        (None, errors.ProviderRejected),
    ],
)
def test_a_rejection_may_name_its_cause(code: object, kind: type) -> None:
    value = f'"{code}"' if isinstance(code, str) else "null" if code is None else str(code)
    failure = failure_of(400, {}, b'{"error":{"message":"no","code":%b}}' % value.encode())
    assert type(failure) is kind


def test_what_it_says_of_the_request_is_passed_on_and_of_itself_is_not() -> None:
    told = b'{"error":{"message":"key sk-1234 is bad","param":"temperature"}}'
    rejected = failure_of(422, {}, told)
    assert (rejected.message, rejected.param, rejected.status) == ("key sk-1234 is bad", "temperature", 422)
    for status in (401, 429, 500):
        assert "sk-1234" not in failure_of(status, {}, told).message


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b'{"error":7}', b'{"error":{"message":7}}', b"\xff", b"{" * 9_000]
)
def test_an_error_that_cannot_be_read_has_words_of_ours(body: bytes) -> None:
    assert failure_of(400, {}, body).message == "The provider rejected the request."


def test_a_plain_or_a_long_message_is_taken_as_far_as_it_goes() -> None:
    assert failure_of(400, {}, b'{"error":"plain"}').message == "plain"
    assert len(failure_of(400, {}, b'{"error":"%b"}' % (b"x" * 9_000)).message) == 2_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("1e9", 3_600.0),
        ("inf", 3_600.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 2999 23:59:59 GMT", 3_600.0),
        ("Xxx, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_within_reason(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date_is_counted_from_now() -> None:
    found = retry_after({"retry-after": formatdate(time() + 120, usegmt=True)})
    assert found == pytest.approx(120, abs=2)
    assert retry_after({}) is None


def test_a_failure_carries_it() -> None:
    assert failure_of(429, {"retry-after": "3"}, b"").retry_after == 3.0
