"""What the views for people have in common: a session, pages or JSON, and errors in a dialect's words."""

import logging
import traceback
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.defaults import bad_request
from rest_framework import exceptions
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.dialect import Dialect
from api.doors import DOORS, dialect_of
from api.manage.bodies import Negotiation
from api.origin import read_request_id
from api.trying.forms import TokenParser
from api.trying.pages import AnswerRenderer, Shown, TryPages
from api.trying.payer import SignedIn
from gateway.errors import (
    Forbidden,
    ForeignHost,
    GatewayError,
    InvalidRequest,
    TooLarge,
    Unauthenticated,
    WrongMethod,
)
from gateway.ids import uuid7

ROOT = "/api/try"
_API = "/api/"

logger = logging.getLogger(__name__)


class GatewayNotRunning(GatewayError):
    """The gateway does not run in this process: start it with `manage.py serve`."""

    code = "gateway_not_running"
    status = 503
    retryable = True


class PersonsView(APIView):
    """For people who are signed in."""

    authentication_classes = (SignedIn,)
    permission_classes = (IsAuthenticated,)
    renderer_classes = (AnswerRenderer, TryPages)
    parser_classes = (TokenParser,)
    content_negotiation_class = Negotiation
    http_method_names: Sequence[str] = ("get", "head")
    schema = None

    def dialect(self) -> Dialect:
        """Whose words errors are told in."""
        return DOORS["/v1/models"].dialect

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        """On the page for whoever sees one; a browser of a stranger is led to where people sign in."""
        request_id, error = _request_id(self.request), _leaf(exc)
        if error is None:
            where = "".join(traceback.format_tb(exc.__traceback__))
            logger.error("request %s failed: %s\n%s", request_id, type(exc).__name__, where)
            error = GatewayError()
        is_page = wants_page(self.request)
        if isinstance(error, Unauthenticated) and is_page and self.request.method == "GET":
            return HttpResponseRedirect(f"{reverse('admin:login')}?next={self.request.path}")
        body = self.dialect().render_error(error, request_id)
        headers = {"X-Request-ID": request_id, "Cache-Control": "no-store"}
        headers |= {"Retry-After": "1"} if error.retryable else {}
        if is_page and getattr(self.request, "auth", None) is not None:
            shown = Shown(body, "application/json")
            return Response(shown, status=error.status, headers=headers, exception=True)
        return HttpResponse(body, status=error.status, headers=headers, content_type="application/json")


def wants_page(request: Any) -> bool:
    """Whether a browser is to see what comes."""
    renderer = getattr(request, "accepted_renderer", None)
    return renderer is not None and bool(renderer.format == "api")


def refuse_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself refuses, such as a foreign host: below `/api/` in a dialect's words."""
    if not request.path.startswith(_API):
        return bad_request(request, exception)
    error = ForeignHost() if isinstance(exception, DisallowedHost) else InvalidRequest()
    dialect = dialect_of(request.path.removeprefix(ROOT)) or DOORS["/v1/models"].dialect
    request_id = _request_id(request)
    return HttpResponse(
        dialect.render_error(error, request_id),
        status=error.status,
        headers={"X-Request-ID": request_id, "Cache-Control": "no-store"},
        content_type="application/json",
    )


def _request_id(request: HttpRequest | Request) -> str:
    given = request.headers.get("X-Request-ID")
    return read_request_id(
        {} if given is None else {b"x-request-id": given.encode("latin-1", "replace")}, uuid7()
    )


def _leaf(error: Exception) -> GatewayError | None:
    """The gateway's own error for a framework's; None for what nobody foresaw."""
    match error:
        case GatewayError():
            return error
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthenticated("Sign in at /admin/ first: here people call without a key.")
        case exceptions.PermissionDenied():
            return Forbidden(str(error.detail))
        case exceptions.MethodNotAllowed():
            return WrongMethod()
        case RequestDataTooBig():
            return TooLarge()
        case _:
            return None
