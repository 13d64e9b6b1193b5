"""Someone who calls the gateway with a key, and afterwards looks into the books."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.support.gateway_server import GatewayServer, Row
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Caller:
    """A key of a tenant at a gateway."""

    gateway: GatewayServer
    tenant: str
    key: str

    def headers(self, request: str = "", **more: str) -> dict[str, str]:
        """What a call of theirs carries; underscores stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        identified = {"X-Request-ID": request} if request else {}
        return (
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | identified | named
        )

    def request(self, body: bytes, request: str = "", path: str = CHAT, **more: str) -> bytes:
        """A call of theirs as it stands on the wire."""
        return request_bytes("POST", path, self.headers(request, **more), body)

    def post(self, body: bytes, request: str = "", path: str = CHAT, **more: str) -> Answer:
        """Make a call with this very body."""
        return exchange(self.gateway.port, self.request(body, request, path, **more))

    def chat(
        self, model: str, request: str = "", members: Mapping[str, Any] | None = None, **more: str
    ) -> Answer:
        """Say hello to a model."""
        return self.post(hello(model, **(members or {})), request, **more)

    def entry(self, request: str) -> Row:
        """The one entry of a request; its answer's last bytes may be ahead of nothing, a cut call's may."""
        rows = eventually(lambda: self.gateway.ledger(tenant=self.tenant, request=request))
        assert len(rows) == 1, rows
        return rows[0]

    def entries(self) -> list[Row]:
        """All that was booked for them."""
        return self.gateway.ledger(tenant=self.tenant)

    def books_agree(self) -> bool:
        """Whether no hold is open and the budget's counter says what the ledger says."""
        charged = sum(row.charge_nano for row in self.entries())
        return self.gateway.open_holds() == 0 and self.gateway.spent("nano", self.tenant) == charged


def hello(model: str, **members: Any) -> bytes:
    """A small chat request."""
    return json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "hello"}], **members}
    ).encode()


def fresh(prefix: str) -> str:
    """A name that nothing else has."""
    return f"{prefix}-{uuid4().hex[:12]}"
