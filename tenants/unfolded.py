"""Django's and unfold's admin classes, subscripted with the row they are for as Django's stubs demand.

unfold has no types: in checks, Django's own classes stand in for its. At run time, the subscript is dropped.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib.admin import options
from unfold import admin as unfold_admin
from unfold import decorators
from unfold.forms import PaginationInlineFormSet
from unfold.paginator import InfinitePaginator

__all__ = (
    "BaseModelAdmin",
    "ModelAdmin",
    "ModelForm",
    "RowsForm",
    "StackedInline",
    "TabularInline",
    "UncountedPaginator",
    "action",
    "display",
)

_Function = TypeVar("_Function", bound=Callable[..., Any])

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.contrib.admin.options import BaseModelAdmin
    from django.core.paginator import Paginator as UncountedPaginator
    from django.forms import BaseInlineFormSet as RowsForm
    from django.forms import ModelForm
else:

    class _Subscripted:
        def __class_getitem__(cls, _: object) -> type:
            return cls

    UncountedPaginator = InfinitePaginator

    class BaseModelAdmin(_Subscripted, options.BaseModelAdmin):
        """What pages and inlines share."""

    class ModelAdmin(_Subscripted, unfold_admin.ModelAdmin):
        """Pages of one table."""

    class StackedInline(_Subscripted, unfold_admin.StackedInline):
        """Rows within another page, one below another."""

    class TabularInline(_Subscripted, unfold_admin.TabularInline):
        """Rows within another page, as a table."""

    class ModelForm(_Subscripted, forms.ModelForm):
        """A form of one row."""

    class RowsForm(_Subscripted, PaginationInlineFormSet):
        """The rows of an inline, together."""


def display(
    description: str,
    *,
    label: Mapping[str, str] | bool | None = None,
    boolean: bool | None = None,
    ordering: str | None = None,
) -> Callable[[_Function], _Function]:
    """Name a computed column; `label` gives its values colours."""
    decorate: Callable[[_Function], _Function] = decorators.display(
        description=description, label=label, boolean=boolean, ordering=ordering
    )
    return decorate


def action(
    description: str, *, permissions: Sequence[str], icon: str, variant: Any = None
) -> Callable[[_Function], _Function]:
    """Offer a method as a button on a row's page, to those for whom `has_<permission>_permission` holds."""
    decorate: Callable[[_Function], _Function] = decorators.action(
        description=description, permissions=permissions, icon=icon, variant=variant
    )
    return decorate
