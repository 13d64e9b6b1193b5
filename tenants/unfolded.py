"""unfold's admin classes with the types that unfold lacks: Django's own stubs stand in for them in checks."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.admin import options
from unfold import admin as unfold_admin
from unfold import decorators

__all__ = ("BaseModelAdmin", "ModelAdmin", "StackedInline", "TabularInline", "action", "display")

_Function = TypeVar("_Function", bound=Callable[..., Any])

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.contrib.admin.options import BaseModelAdmin
else:

    class _Subscripted:
        def __class_getitem__(cls, _: object) -> type:
            return cls

    class BaseModelAdmin(_Subscripted, options.BaseModelAdmin):
        """What pages and inlines share."""

    class ModelAdmin(_Subscripted, unfold_admin.ModelAdmin):
        """Pages of one table."""

    class StackedInline(_Subscripted, unfold_admin.StackedInline):
        """Rows within another page, one below another."""

    class TabularInline(_Subscripted, unfold_admin.TabularInline):
        """Rows within another page, as a table."""


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
