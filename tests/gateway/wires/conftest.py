"""litellm for the tests of translation, imported once."""

import pytest

from gateway.translation.library import load


@pytest.fixture(scope="session")
def litellm_at_hand() -> None:
    """It is loaded, as it is after a first call."""
    load()
