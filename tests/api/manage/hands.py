"""Those who manage in the tests: holders of platform keys, and people who are signed in."""

import json
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission, User
from django.test import Client

from tenants.models import Tenant
from tests import factories

ROOT = "/api/v1/manage"


class Hand:
    """Sends JSON to the management API."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer to one request."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        address = path if path.startswith(ROOT) else f"{ROOT}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, address, data, content_type="application/json", headers=named)

    def get(self, path: str, **headers: str) -> Any:
        """What is told, which has to be told."""
        answer = self.ask("GET", path, **headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def put(self, path: str, **body: Any) -> Any:
        """The row as it is after a PUT that has to succeed."""
        return self._done("PUT", path, body)

    def post(self, path: str, **body: Any) -> Any:
        """What is answered to a POST that has to succeed."""
        return self._done("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        """The row as it is after a PATCH that has to succeed."""
        return self._done("PATCH", path, body)

    def refused(self, method: str, path: str, body: Any = None, *, status: int = 422, **headers: str) -> Any:
        """The error of a request that has to be refused so."""
        answer = self.ask(method, path, body, **headers)
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/json"
        error = answer.json()["error"]
        assert error["request_id"] == answer["X-Request-ID"] != ""
        return error

    def _done(self, method: str, path: str, body: Any) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code in {200, 201}, answer.content
        return answer.json()


def key_hand(*roles: str, tenants: tuple[Tenant, ...] | None = None, **fields: Any) -> Hand:
    """The holder of a platform key, for all tenants unless some are named."""
    granted = {"all_tenants": True} if tenants is None else {"granted_tenants": tenants}
    _, secret = factories.make_key(None, f"key-{uuid4()}", roles=roles, **granted, **fields)
    return Hand(Client(headers={"authorization": f"Bearer {secret}"}))


def operator() -> Hand:
    """Whoever runs the platform."""
    return key_hand("operator")


def member(name: str, tenant: Tenant, role: str = "owner") -> Hand:
    """Somebody of a tenant, signed in, with every permission that Django knows."""
    user = factories.make_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    factories.make_member(tenant, user, role)
    return signed_in(user)


def signed_in(user: User, **options: Any) -> Hand:
    """A person's browser."""
    client = Client(**options)
    client.force_login(user)
    return Hand(client)
