"""The outermost layer of the management API: request ids, and no answer of Django's own in HTML."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware
from rest_framework.response import Response

from api.origin import read_request_id
from gateway.errors import Forbidden, GatewayError, InvalidRequest, TooLarge, UnknownDoor
from gateway.ids import uuid7

ROOT = "/api/v1/manage"

_LEAVES: dict[int, GatewayError] = {
    error.status: error for error in (InvalidRequest(), Forbidden(), UnknownDoor(), TooLarge())
}

Answerer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswerer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def envelope(get_response: Answerer | AsyncAnswerer) -> Answerer | AsyncAnswerer:
    """Middleware around everything else, so that a refused host is answered in our words too."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            if not request.path.startswith(ROOT):
                return await cast(AsyncAnswerer, get_response)(request)
            request_id = _number(request)
            return _dressed(await cast(AsyncAnswerer, get_response)(request), request_id)

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(ROOT):
            return cast(Answerer, get_response)(request)
        request_id = _number(request)
        return _dressed(cast(Answerer, get_response)(request), request_id)

    return answer


def request_id_of(request: object) -> str:
    """The id that the request was given here."""
    return str(getattr(request, "gateway_request_id", ""))


def error_body(error: GatewayError, request_id: str, fields: Any = None) -> dict[str, Any]:
    """The one envelope of all errors."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.param is not None:
        body["param"] = error.param
    if fields is not None:
        body["fields"] = fields
    return {"error": {**body, "request_id": request_id}}


def _number(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID")
    headers = {} if given is None else {b"x-request-id": given.encode("latin-1", "replace")}
    request_id = read_request_id(headers, uuid7())
    request.gateway_request_id = request_id  # type: ignore[attr-defined]  # for the errors of views
    return request_id


def _dressed(answer: HttpResponseBase, request_id: str) -> HttpResponseBase:
    if answer.status_code >= InvalidRequest.status and not isinstance(answer, Response):
        error = _LEAVES.get(answer.status_code, GatewayError())
        answer = JsonResponse(error_body(error, request_id), status=answer.status_code)
    answer["X-Request-ID"] = request_id
    answer["Cache-Control"] = "no-store"
    return answer
