"""The port over the database, which may be away."""

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from gateway.ids import uuid7
from gateway.signs import Sign, SignsAway
from providers import signs
from providers.signs import DatabaseSigns

pytestmark = pytest.mark.django_db

KEY = (uuid7(), "m")


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize(
    ("question", "asked"), [("health_tell", "tell"), ("health_heard", "heard"), ("health_claim", "claim")]
)
async def test_a_database_that_is_gone_is_away(
    question: str, asked: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error("gone")

    monkeypatch.setattr(signs, question, fail)
    told: dict[str, tuple[Any, ...]] = {
        "tell": (Sign(key=KEY, is_open=False),),
        "heard": (1.0,),
        "claim": (KEY, 1.0),
    }
    with pytest.raises(SignsAway):
        await getattr(DatabaseSigns(), asked)(*told[asked])
