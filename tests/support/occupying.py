"""Calls that are under way, or in line, while a test looks at what becomes of others."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.caller import Caller, fresh, hello
from tests.support.gateway_server import WebProcess
from tests.support.provider_scripts import completion, replies
from tests.support.raw_http import Line, exchange
from tests.support.routing_gateways import Routed


class Occupying:
    """Calls of one model at one process, which the provider answers when it is told to."""

    def __init__(self, routed: Routed, web: WebProcess, model: str, lines: ExitStack) -> None:
        self._routed = routed
        self._web = web
        self._model = model
        self._lines = lines
        self.name = model.rpartition("/")[2]
        routed.ill.script(self.name, replies(completion(), gated=True))

    def call(self, caller: Caller, name: str = "") -> Line:
        """Begin a call."""
        line = self._lines.enter_context(Line(self._web.port))
        line.send(caller.request(hello(self._model, call_name=name), name))
        return line

    def occupy(self, caller: Caller) -> Line:
        """Begin a call, and see it reach the provider."""
        before = len(self.heard)
        begun = self.call(caller, fresh("occupying"))
        assert self.reaches(before + 1)
        return begun

    def settle_down(self) -> None:
        """See calls of somebody else through, which came after all that were begun before."""
        for _ in range(3):
            answer = exchange(self._web.port, self._routed.caller("hurried").request(hello("spare")))
            assert answer.status == 200

    def reaches(self, calls: int) -> bool:
        """Whether so many calls come to reach the provider."""
        return self._routed.ill.wait_for(lambda: len(self.heard) >= calls)

    @property
    def heard(self) -> list[str]:
        """The names of the calls that reached the provider, in turn."""
        return [heard.member("call_name") for heard in self._routed.ill.heard(self.name)]

    def answer(self, calls: int = 1) -> None:
        """Let the provider answer so many."""
        self._routed.ill.gate(self.name).open(calls)


@contextmanager
def occupying(routed: Routed, model: str) -> Iterator[Occupying]:
    """All that are under way in the end are answered."""
    with ExitStack() as lines:
        calls = Occupying(routed, routed.gateway.webs[0], f"{model}/{fresh('occupied')}", lines)
        try:
            yield calls
        finally:
            calls.answer(100)
