"""Who signs in here: people and groups, in the same look as everything else."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tenants.models import Member
from tenants.scoping import TenantScopedAdmin, TenantScopedInline

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:
    _UserAdmin = DjangoUserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


class MembershipInline(TenantScopedInline[Member, User]):
    """The tenants that a person belongs to."""

    model = Member
    fields = ("tenant", "role")
    autocomplete_fields = ("tenant",)
    tenant_paths = ("tenant",)
    verbose_name_plural = "memberships"


@admin.register(User)
class UserAdmin(_UserAdmin, TenantScopedAdmin[User]):
    """People; members see those of their own tenants."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (MembershipInline,)
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username__istartswith", "email__istartswith", "last_name__istartswith")
    tenant_paths = ("memberships__tenant",)
    operators_write = True


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, TenantScopedAdmin[Group]):
    """Named sets of permissions."""

    list_display = ("name",)
    search_fields = ("name__istartswith",)
    empty_text = "A group gives several people the same permissions."
