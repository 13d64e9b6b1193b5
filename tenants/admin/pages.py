"""Pages between a button and its deed."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Model
from django.forms import Form
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.unfolded import ModelAdmin


def row_link(row: Model, text: str) -> SafeString:
    """The way to a row's own page."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=(row.pk,))
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, text)


def confirmation_page(
    request: HttpRequest,
    admin: ModelAdmin[Any],
    *,
    title: str,
    consequences: Sequence[str],
    submit: str,
    back: str,
    form: Form | None = None,
    dangerous: bool = False,
) -> TemplateResponse:
    """Ask before a deed, with all that follows from it in plain words."""
    context = admin.admin_site.each_context(request) | {
        "title": title,
        "opts": admin.opts,
        "consequences": consequences,
        "deed": submit,
        "back": back,
        "form": form,
        "variant": "danger" if dangerous else "primary",
    }
    return TemplateResponse(request, "admin/confirmation.html", dict(context))
