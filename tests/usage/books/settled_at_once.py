"""Calls that come to the books when all is known of them."""

from gateway.accounts import Hold, Settlement
from tests.support.engine import make_entry


def cached(hold: Hold) -> Settlement:
    """Nothing was spent but the request."""
    return Settlement(hold=hold, entry=make_entry(0, hold.id, status="cached"), tokens=0, opens=True)
