"""Reads the admin's pages and sends its forms as a browser does: what was shown, and what was changed."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from tests import factories

Fields = dict[str, str | list[str]]


class _Form(HTMLParser):
    """Collects what a browser would send of a page's fields."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Fields = {}
        self._select = self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        kind = given.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.fields[self._select] = value
        elif tag == "textarea":
            self._textarea, self.fields[name] = name, ""
        elif tag == "input" and name and kind in {"checkbox", "radio"}:
            if "checked" in given:
                self.fields[name] = value or "on"
        elif tag == "input" and name and kind != "submit":
            self.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea] = str(self.fields[self._textarea]) + data.removeprefix("\n")


def shown_fields(html: str, **rows: list[dict[str, Any]]) -> Fields:
    """The fields of a page with their values, and further rows of its inlines over their defaults."""
    form = _Form()
    form.feed(html)
    fields = {name: value for name, value in form.fields.items() if name and "__prefix__" not in name}
    for prefix, added in rows.items():
        template = {
            name: value for name, value in form.fields.items() if name.startswith(f"{prefix}-__prefix__")
        }
        first = int(str(fields[f"{prefix}-TOTAL_FORMS"]))
        for number, row in enumerate(added, first):
            fields |= {name.replace("__prefix__", str(number)): value for name, value in template.items()}
            fields |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
        fields[f"{prefix}-TOTAL_FORMS"] = str(first + len(added))
    return fields


def address(page: str, *arguments: Any) -> str:
    """The path of an admin page, such as tenants_tenant_add."""
    return reverse(f"admin:{page}", args=arguments)


def submit(
    client: Client, path: str, rows: dict[str, list[dict[str, Any]]] | None = None, /, **changes: Any
) -> Any:
    """Open a page's form, change some fields, add some rows, and send it."""
    page = client.get(path)
    assert page.status_code == 200, (path, page.status_code)
    return client.post(path, shown_fields(page.content.decode(), **rows or {}) | changes)


def operator() -> Client:
    """A browser in which an operator, Alice, is signed in."""
    client = Client()
    client.force_login(factories.make_user("alice", is_superuser=True, is_staff=True))
    return client


def errors(answer: Any) -> str:
    """All that a form found wrong, as text."""
    context = answer.context
    forms = [context["adminform"].form]
    found = [str(form.errors) for form in forms]
    for rows in context["inline_admin_formsets"]:
        found += [str(rows.formset.errors), str(rows.formset.non_form_errors())]
    return " ".join(found)
