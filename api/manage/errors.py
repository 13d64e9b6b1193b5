"""Whatever goes wrong, as one envelope: 400 for what cannot be read, 422 for fields, all of them listed."""

import logging
import traceback
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error

from api.manage.envelope import error_body, request_id_of
from gateway.errors import (
    ConfigurationAway,
    FailedValidation,
    Forbidden,
    GatewayError,
    InvalidRequest,
    Unauthenticated,
    UnknownDoor,
    UnsupportedMedia,
    WrongMethod,
)

logger = logging.getLogger(__name__)

Fields = dict[str, list[str]]


class NothingThere(GatewayError):
    """There is nothing of that id or name here."""

    code = "not_found"
    status = 404


class Conflict(GatewayError):
    """Something else stands against this change."""

    code = "conflict"
    status = 409


def answer_error(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to an error of a view; one that nobody foresaw is logged without its message."""
    request_id = request_id_of(context.get("request"))
    fields = fields_of(error)
    leaf = FailedValidation("Some fields are not valid.") if fields is not None else _leaf(error)
    if leaf is None:
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("request %s failed: %s\n%s", request_id, type(error).__name__, where)
        leaf = GatewayError()
    if fields is not None and len(fields) == 1:
        leaf.param = next(iter(fields))
    return Response(error_body(leaf, request_id, fields), status=leaf.status, headers=_headers(leaf, error))


def fields_of(error: Exception) -> Fields | None:
    """What is wrong with which field; None if that is not what went wrong."""
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(as_serializer_error(error))
    if not isinstance(error, exceptions.ValidationError):
        return None
    fields: Fields = {}
    for path, message in _flat("", error.detail):
        fields.setdefault(path or "body", []).append(message)
    return fields


def _flat(path: str, detail: Any) -> Iterator[tuple[str, str]]:
    """Nested messages under paths such as `deployments[0].provider`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flat(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            leaf = not isinstance(inner, dict | list)
            yield from _flat(path if leaf else f"{path}[{index}]", inner)
    else:
        yield path, str(detail)


def _leaf(error: Exception) -> GatewayError | None:  # noqa: C901  # one table, as it is read
    """The gateway's own error for a framework's; None for what nobody foresaw."""
    match error:
        case GatewayError():
            return error
        case exceptions.NotAuthenticated():
            return Unauthenticated("Sign in, or send a platform key as `Authorization: Bearer KEY`.")
        case exceptions.AuthenticationFailed():
            return Unauthenticated(str(error.detail))
        case exceptions.PermissionDenied():
            return Forbidden(str(error.detail))
        case DjangoPermissionDenied():
            return Forbidden("You may not do that.")
        case exceptions.NotFound() | Http404():
            return UnknownDoor()
        case exceptions.MethodNotAllowed():
            return WrongMethod()
        case exceptions.UnsupportedMediaType():
            return UnsupportedMedia()
        case exceptions.ParseError():
            return InvalidRequest()
        case ProtectedError() | RestrictedError():
            return Conflict("Other rows need this one: remove them first, or block it instead.")
        case IntegrityError():
            return Conflict()
        case OperationalError() | InterfaceError():
            return ConfigurationAway("The configuration cannot be read or written now.")
        case _:
            return None


def _headers(leaf: GatewayError, error: Exception) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(leaf, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if leaf.retryable:
        headers["Retry-After"] = "1"
    return headers
