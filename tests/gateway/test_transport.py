"""How long connections to providers are kept."""

import pytest

from gateway.transport import REST_AT_MOST, rest_of


@pytest.mark.parametrize(
    ("announced", "seconds"),
    [
        (None, REST_AT_MOST),
        ("timeout=5, max=100", 2.5),
        ("max=100, timeout=2", 1.0),
        ("timeout=600", REST_AT_MOST),
        ("timeout=0", 0.0),
        ("timeout=soon", REST_AT_MOST),
        ("timeout=99999999999999999999", REST_AT_MOST),
    ],
)
def test_a_connection_rests_well_within_what_its_provider_announces(
    announced: str | None, seconds: float
) -> None:
    headers = {} if announced is None else {"keep-alive": announced}
    assert rest_of(headers) == seconds
