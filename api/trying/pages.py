"""How a door looks to somebody who tries it: its example to be changed and sent, and what came back."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django import forms
from django.urls import reverse
from django.utils.safestring import SafeString
from msgspec import Struct
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.request import Request

_INDENT = 2


class Shown(Struct, frozen=True):
    """What came back, as far as it is shown."""

    body: bytes
    media: str
    is_all: bool = True


class AnswerRenderer(BaseRenderer):
    """Answers as they are."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The bytes."""
        return data.body if isinstance(data, Shown) else msgspec.json.encode(data)


class TryPages(BrowsableAPIRenderer):
    """A page of a door."""

    template = "api/try.html"

    def get_content(
        self, renderer: Any, data: Any, accepted_media_type: str | None, renderer_context: Any
    ) -> str:
        """JSON in lines, events as they came, and of anything else how much it is."""
        shown = data if isinstance(data, Shown) else Shown(msgspec.json.encode(data), "application/json")
        return text_of(shown)

    def get_context(self, data: Any, accepted_media_type: str | None, renderer_context: Any) -> Any:
        """As usual, but the type that is shown is the answer's own."""
        context = super().get_context(data, accepted_media_type or "", renderer_context)
        if isinstance(data, Shown):
            context["response_headers"]["Content-Type"] = data.media
        return context

    def get_breadcrumbs(self, request: Request) -> list[tuple[str, str]]:
        """The way here: all doors, and this one."""
        root = reverse("try")
        here = [] if request.path == root else [(request.path.removeprefix(root), request.path)]
        return [("All doors", root), *here]

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        """The door's example, or what was sent just now."""
        if method != "POST" or method not in view.allowed_methods:
            return None
        media = view.media
        form = _RawForm(initial={"_content": view.sent_text()})
        form.fields["_content_type"].choices = [(media, media)]  # type: ignore[attr-defined]
        return form

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        """Where a file is sent: fields to fill in."""
        if method == "OPTIONS":
            return False
        if method != "POST" or method not in view.allowed_methods or not view.takes_form:
            return None
        return SafeString(_RecordingForm().as_div())


class _RawForm(forms.Form):
    _content_type = forms.ChoiceField(
        label="Media type", widget=forms.Select(attrs={"data-override": "content-type"})
    )
    _content = forms.CharField(
        label="Body",
        required=False,
        widget=forms.Textarea(attrs={"data-override": "content", "rows": 14, "spellcheck": "false"}),
    )


class _RecordingForm(forms.Form):
    file = forms.FileField()
    model = forms.CharField(initial="echo-audio")
    response_format = forms.CharField(initial="json")


def text_of(shown: Shown) -> str:
    """What a page shows of an answer."""
    if shown.media.startswith("application/json") and shown.is_all:
        return msgspec.json.format(shown.body, indent=_INDENT).decode("utf-8", "replace")
    if shown.media.startswith(("application/json", "text/")):
        more = "" if shown.is_all else "\n(more came, and is not shown)"
        return shown.body.decode("utf-8", "replace") + more
    size = f"{len(shown.body)} bytes" if shown.is_all else f"more than {len(shown.body)} bytes"
    return f"({size} of {shown.media})"
