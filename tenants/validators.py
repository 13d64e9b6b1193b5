"""What operators may type: checks of single fields, free of models so that every app can use them."""

from collections.abc import Iterable
from ipaddress import ip_network
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from tenants.roles import PLATFORM_ROLES, TENANT_ROLES

MONEY_CEILING = 2**53
"""Redis counts money in doubles, which are exact up to here."""

slug_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
    "Begin with a letter or digit; go on with letters, digits, dots, dashes and underscores, 64 at most.",
)


def time_zone_validate(name: str) -> None:
    """Refuse a name that the IANA database does not list."""
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not a time zone, such as Europe/Berlin.")


def texts_validate(values: object) -> None:
    """Accept a JSON list of non-empty texts only."""
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise ValidationError("Write a list of texts.")


def networks_validate(values: object) -> None:
    """Accept a JSON list of networks in CIDR form only."""
    for text in _texts(values):
        try:
            ip_network(text)
        except ValueError as error:
            raise ValidationError(f"{text!r} is not a network, such as 10.0.0.0/8.") from error


def roles_validate(values: object) -> None:
    """Accept a JSON list of roles only; which of them a key may have depends on whose it is."""
    strangers = set(_texts(values)) - {*PLATFORM_ROLES, *TENANT_ROLES}
    if strangers:
        known = ", ".join(dict.fromkeys((*PLATFORM_ROLES, *TENANT_ROLES)))
        raise ValidationError(f"Roles are {known}, not {', '.join(sorted(strangers))}.")


def percents_validate(values: object) -> None:
    """Accept a JSON list of rising whole percents only."""
    whole = isinstance(values, list) and all(type(value) is int and 0 < value <= 1000 for value in values)
    if not whole or values != sorted(set(values)):  # type: ignore[call-overload]  # whole says it is a list
        raise ValidationError("Write rising whole percents, such as [80, 100].")


def _texts(values: object) -> Iterable[str]:
    texts_validate(values)
    return values  # type: ignore[return-value]  # checked on the line above
