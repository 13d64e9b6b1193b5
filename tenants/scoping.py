"""Who sees which rows in the admin: operators all of them, a tenant's members their tenant's alone.

Every admin of ours derives from here. An admin says how its rows lead to a tenant (`tenant_paths`); lists,
pages, choices and autocompletes follow from that, since a choice is what the related admin would list.
"""

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import lookup_spawns_duplicates
from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from tenants.models import Member, Tenant
from tenants.unfolded import BaseModelAdmin, ModelAdmin, StackedInline, TabularInline

if TYPE_CHECKING:
    from django.db.models.fields.related import ForeignKey, RelatedField
    from django.forms import ModelChoiceField

_Row = TypeVar("_Row", bound=Model)
_Parent = TypeVar("_Parent", bound=Model)


def is_operator(request: HttpRequest) -> bool:
    """Whether the person runs the platform, and so stands above all tenants."""
    return bool(request.user.is_superuser)


def tenant_scope(queryset: QuerySet[_Row], *, request: HttpRequest, paths: tuple[str, ...]) -> QuerySet[_Row]:
    """The rows that one of the paths leads from to a tenant of the person; all rows for operators."""
    if is_operator(request):
        return queryset
    if not paths:
        return queryset.none()
    tenants = Member.objects.filter(user=cast(User, request.user)).values("tenant")
    mine = Q()
    for path in paths:
        mine |= Q(**{f"{path}__in": tenants})
    if any(lookup_spawns_duplicates(queryset.model._meta, path) for path in paths):
        rows = queryset.model._default_manager.filter(mine).values("pk")
        return queryset.filter(pk__in=rows)
    return queryset.filter(mine)


class TenantScoped(BaseModelAdmin[_Row]):
    """Restricts rows and choices to the tenants that the person is a member of."""

    tenant_paths: ClassVar[tuple[str, ...]] = ()
    """Lookups from a row to its tenant; none are for rows of the platform, which members do not see."""

    operators_write: ClassVar[bool] = False
    """Members may look at rows that concern them, and only operators change them."""

    offered_to_all: ClassVar[bool] = False
    """Rows of the platform that every member may choose, such as classes of limits."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[_Row]:
        """The rows that the person may know of."""
        if self.offered_to_all:
            return super().get_queryset(request)
        return tenant_scope(super().get_queryset(request), request=request, paths=self.tenant_paths)

    def get_field_queryset(
        self, db: str | None, db_field: "RelatedField[Any, Any]", request: HttpRequest
    ) -> QuerySet[Any] | None:
        """The choices of a relation: the rows that the related table's own pages would list."""
        related = db_field.related_model
        site = self.admin_site
        table: object = site.get_model_admin(related) if site.is_registered(related) else None
        if isinstance(table, TenantScoped):
            return table.get_queryset(request)
        if is_operator(request):
            return super().get_field_queryset(db, db_field, request)
        return related._default_manager.none()

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        """Members always name their tenant: left empty, a row would be everyone's or the platform's."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        names_tenant = db_field.related_model is Tenant and self.tenant_paths == (db_field.name,)
        if field is not None and names_tenant and not is_operator(request):
            field.required = True
        return field

    def may_write(self, request: HttpRequest) -> bool:
        """Whether the person may change rows of this table at all."""
        return is_operator(request) or bool(self.tenant_paths and not self.operators_write)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows of the platform are the operators' to change."""
        return self.may_write(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows of the platform are the operators' to delete."""
        return self.may_write(request) and super().has_delete_permission(request, obj)


class TenantScopedAdmin(TenantScoped[_Row], ModelAdmin[_Row]):
    """The base of all our pages."""

    show_facets = ShowFacets.NEVER
    warn_unsaved_form = True
    empty_text = "Nothing is here yet."

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows of the platform are the operators' to add."""
        return self.may_write(request) and super().has_add_permission(request)


class TenantScopedInline(TenantScoped[_Row], TabularInline[_Row, _Parent]):
    """The base of all our tables within another page."""

    extra = 0
    tab = True
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: _Parent | None = None) -> bool:
        """Rows of the platform are the operators' to add."""
        return self.may_write(request) and super().has_add_permission(request, obj)


class TenantScopedStackedInline(TenantScoped[_Row], StackedInline[_Row, _Parent]):
    """The base of all our forms within another page."""

    extra = 0
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: _Parent | None = None) -> bool:
        """Rows of the platform are the operators' to add."""
        return self.may_write(request) and super().has_add_permission(request, obj)
