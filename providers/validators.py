"""What operators may type about providers."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

SECRET_REFERENCES = ("env:", "file:", "g1:")
"""How a stored secret begins: a variable, a file, or an envelope."""

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key"})
FRAMING_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})

header_name_validator = RegexValidator(
    r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z", "%(value)r is not a header's name."
)


def base_url_validate(text: str) -> None:
    """Accept an http or https address without credentials, query or fragment, to which paths can be added."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValidationError(f"{text!r} is not an address.") from error
    if not usable or parts.username or parts.query or parts.fragment or any(mark.isspace() for mark in text):
        raise ValidationError("Write http or https, a host and a path, such as https://api.openai.com/v1.")


def headers_validate(headers: object) -> None:
    """Accept a JSON object of header texts that neither split the request nor carry credentials."""
    if not isinstance(headers, dict):
        raise ValidationError("Write an object of header names and texts.")
    for name, text in headers.items():
        header_name_validator(name)
        if not isinstance(text, str) or any(mark in text for mark in "\r\n\0"):
            raise ValidationError(f"The header {name} must be one line of text.")
        if name.lower() in SECRET_HEADERS:
            raise ValidationError(f"The header {name} carries a secret: store it as a provider key.")
        if name.lower() in FRAMING_HEADERS:
            raise ValidationError(f"The header {name} is the gateway's to write.")


def secret_reference_validate(text: str) -> None:
    """Accept what points at a secret or holds it encrypted, never the secret itself."""
    if not text.startswith(SECRET_REFERENCES):
        raise ValidationError("Write env:NAME or file:PATH, or let the gateway store the secret encrypted.")


def model_name_validate(name: str) -> None:
    """Accept a model's name or pattern: no spaces, one star at most."""
    if not name or any(mark.isspace() for mark in name):
        raise ValidationError("A model's name has no spaces.")
    if name.count("*") > 1:
        raise ValidationError("A pattern has one star at most.")
