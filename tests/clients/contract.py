"""What every client must get from the gateway, in parts: a client's class has those that it can do.

A client is run once for its class, as a program that makes one call, or loop of calls, for each situation.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tests.clients.runs import ATTEMPTS, OPENAI, Face, Run
from tests.support.agent_scripts import SAMPLES
from tests.support.provider_scripts import PIECES, PROMPT_TOKENS, VECTOR

STATUSES = {"stranger": 401, "poor": 429, "unknown": 404, "too_long": 400, "broken": 502}
OWN_ERRORS = {
    "stranger": "AuthenticationError",
    "poor": "RateLimitError",
    "unknown": "NotFoundError",
    "too_long": "BadRequestError",
    "broken": "InternalServerError",
}
"""As the clients of OpenAI and Anthropic name them, and who is built on those."""


class Contract:
    """A whole answer, errors, and coming back after a rate limit: any client does these."""

    face: ClassVar[Face] = OPENAI
    errors: ClassVar[Mapping[str, str]] = OWN_ERRORS
    pause: ClassVar[float] = 1.0
    """Seconds that it waits at least, since the gateway's `Retry-After` says so."""

    @classmethod
    def command(cls) -> Sequence[str]:
        """How the client's program is run."""
        raise AssertionError(f"{cls.__name__} names no program")

    def test_a_chat_is_answered_and_charged(self, run: Run) -> None:
        assert run.said("chat") == "".join(PIECES)
        self.assert_booked(run, "chat")

    def test_errors_are_the_clients_own(self, run: Run) -> None:
        raised = {situation: run.raised(situation) for situation in STATUSES}
        expected = {situation: (self.errors[situation], STATUSES[situation]) for situation in STATUSES}
        assert raised == expected, run.told

    def test_failed_calls_cost_nothing(self, run: Run) -> None:
        rows = [*run.booked("too_long"), *run.booked("broken")]
        assert [(row.status, row.meters, row.charge_nano) for row in rows] == [("failed", {}, 0)] * 2
        assert (len(run.heard("too_long")), len(run.heard("broken"))) == (1, ATTEMPTS)

    def test_the_client_comes_back_after_a_rate_limit(self, run: Run) -> None:
        assert run.said("retry") == "".join(PIECES)
        limited, answered = run.booked("retry", 2)
        assert limited.outcomes == ["provider_rate_limited"] * ATTEMPTS
        assert (limited.charge_nano, answered.meters) == (0, self.face.meters)
        assert run.waited >= self.pause

    def assert_booked(self, run: Run, situation: str, entries: int = 1) -> None:
        """One entry a call, each settled with what the provider counted."""
        rows = run.booked(situation, entries)
        assert [(row.status, bool(row.estimated)) for row in rows] == [("settled", False)] * entries
        assert [row.meters for row in rows] == [self.face.meters] * entries
        assert len(run.heard(situation)) == entries


class Streams(Contract):
    """Text as it comes."""

    def test_a_stream_comes_in_pieces_and_is_charged(self, run: Run) -> None:
        pieces = run.said("stream")
        assert ("".join(pieces), len(pieces) > 1) == ("".join(PIECES), True)
        self.assert_booked(run, "stream")


class Tools(Contract):
    """A loop: the model calls a tool, the client runs it, the model takes the result."""

    def test_a_tool_is_used_and_each_call_of_the_loop_is_charged(self, run: Run) -> None:
        assert run.said("tools") == f"sunny in {SAMPLES['city']}"
        self.assert_booked(run, "tools", 2)


class Schemas(Contract):
    """Answers of a form."""

    def test_an_answer_keeps_to_its_schema(self, run: Run) -> None:
        assert run.said("schema") == SAMPLES
        self.assert_booked(run, "schema")


class Embeddings(Contract):
    """Vectors."""

    def test_texts_become_vectors(self, run: Run) -> None:
        assert run.said("embedding") == [VECTOR, VECTOR]
        (row,) = run.booked("embedding")
        assert (row.status, row.kind, row.meters) == ("settled", "embedding", {"input": PROMPT_TOKENS})
