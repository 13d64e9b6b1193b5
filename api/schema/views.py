"""The document, and a page to read it: for whoever may call, or for all if a setting says so."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import ensure_csrf_cookie

from api.dialects import models_v1
from api.origin import read_credential, read_request_id
from api.schema.document import document_json, document_yaml
from gateway.errors import GatewayError, Unauthenticated
from gateway.ids import uuid7
from tenants.principals import key_recognise

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""The page loads nothing from elsewhere, and runs nothing that stands in itself."""

_CREDENTIALS = ("authorization", "x-api-key", "api-key")
_YAML = ("application/yaml", "application/vnd.oai.openapi", "text/yaml")


class SchemaView(View):
    """The document as JSON, or as YAML where that is asked for."""

    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        """The document."""
        try:
            check_reader(request)
        except GatewayError as error:
            request_id = read_request_id({}, uuid7())
            body = models_v1.render_error(error, request_id)
            return HttpResponse(
                body,
                status=error.status,
                content_type="application/json",
                headers={"X-Request-ID": request_id, "Cache-Control": "no-store"},
            )
        if wants_yaml(request):
            answer = HttpResponse(document_yaml(), content_type="application/yaml")
        else:
            answer = HttpResponse(document_json(), content_type="application/json")
        answer["Cache-Control"] = "private, no-cache"
        answer["Vary"] = "Accept, Cookie"
        return answer


@method_decorator(ensure_csrf_cookie, name="dispatch")
class DocsView(View):
    """The page."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The page; strangers are led to where people sign in."""
        try:
            check_reader(request)
        except GatewayError:
            return redirect_to_login(request.path, "/admin/login/")
        headers: dict[str, Any] = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
        answer = render(request, "api/docs.html")
        for name, value in headers.items():
            answer[name] = value
        return answer


def check_reader(request: HttpRequest) -> None:
    """Raise unless the reader may call something here, or strangers may read."""
    if settings.GATEWAY_SCHEMA_PUBLIC or settings.GATEWAY_ANONYMOUS_TENANT or request.user.is_authenticated:
        return
    sent = {name.encode(): request.headers[name].encode() for name in _CREDENTIALS if name in request.headers}
    credential = read_credential(sent)
    if not credential:
        raise Unauthenticated("Send a key as `Authorization: Bearer KEY`, or sign in at /admin/.")
    key_recognise(credential=credential, address=request.META.get("REMOTE_ADDR", ""))


def wants_yaml(request: HttpRequest) -> bool:
    """By `?format=` first, by the Accept header second."""
    asked = request.GET.get("format")
    if asked:
        return asked == "yaml"
    return request.headers.get("Accept", "").startswith(_YAML)
