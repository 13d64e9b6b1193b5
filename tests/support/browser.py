"""A person's browser at a gateway that runs: it signs in, keeps cookies, and sends the CSRF token along."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal

import httpx

from tests.support.gateway_server import GatewayServer

PASSWORD = "made-up-password-of-a-person"
_PEOPLE = """
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from tenants.models import Member, Tenant
hashed = make_password({password!r})
for name, roles in {people!r}.items():
    person = User.objects.create(
        username=name, password=hashed, is_staff=True, is_superuser=roles == "operator"
    )
    person.user_permissions.set(Permission.objects.all())
    for tenant, role in {{}}.items() if person.is_superuser else roles.items():
        Member.objects.create(tenant=Tenant.objects.get(name=tenant), user=person, role=role)
"""


def people_make(gateway: GatewayServer, **people: Mapping[str, str] | Literal["operator"]) -> None:
    """People who may sign in: members of tenants with a role in each, or operators."""
    code = _PEOPLE.format(password=PASSWORD, people=people)
    gateway.manage("shell", "-v", "0", "-c", code)


class Browser:
    """One person, signed in or not."""

    def __init__(self, gateway: GatewayServer) -> None:
        self.client = httpx.Client(base_url=gateway.url, timeout=30)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def sign_in(self, name: str) -> "Browser":
        """With the password that they all have."""
        self.client.get("/admin/login/")
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": self.token}
        answer = self.client.post("/admin/login/?next=/api/docs/", data=form)
        assert (answer.status_code, answer.headers["location"]) == (302, "/api/docs/")
        return self

    def like(self, other: "Browser") -> "Browser":
        """Signed in as another browser is, with a copy of its cookies."""
        self.client.cookies.update(other.client.cookies)
        return self

    @property
    def token(self) -> str:
        """What Django expects with everything that is sent."""
        return self.client.cookies.get("csrftoken") or ""

    def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """Send it, with the token."""
        return self.client.post(path, content=body, headers=self.headers(**headers))

    def headers(self, **more: str) -> dict[str, str]:
        """What a request of theirs carries; underscores stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"content-type": "application/json", "x-csrftoken": self.token} | named

    def get(self, path: str, **headers: Any) -> httpx.Response:
        """What stands there."""
        return self.client.get(
            path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
