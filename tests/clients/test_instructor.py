"""Instructor gets its objects from the gateway as from OpenAI."""

from collections.abc import Sequence

from tests.clients.commands import apart
from tests.clients.contract import Schemas
from tests.clients.runs import Run
from tests.support.agent_scripts import SAMPLES


class TestInstructor(Schemas):
    @classmethod
    def command(cls) -> Sequence[str]:
        return apart("with_instructor")

    def test_an_answer_keeps_to_its_schema_where_the_format_asks_for_it(self, run: Run) -> None:
        assert run.said("schema_json") == SAMPLES
        assert run.heard("schema_json")[0].member("response_format")["type"] == "json_schema"
        self.assert_booked(run, "schema_json")

    def test_an_object_grows_out_of_a_stream(self, run: Run) -> None:
        assert run.said("growing") == SAMPLES
        self.assert_booked(run, "growing")
