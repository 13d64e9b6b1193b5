"""Keys: issued, rotated and revoked here; the key itself is on one page, once."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.enums import ActionVariant

from tenants.admin.bounds import BudgetInline, LimitInline
from tenants.admin.key_forms import KeyForm, RotateForm
from tenants.admin.pages import confirmation_page
from tenants.keys import key_issue, key_revoke, key_rotate
from tenants.models import ApiKey, Member
from tenants.roles import roles_givable
from tenants.scoping import TenantScopedAdmin, is_operator
from tenants.unfolded import action, display

KEY_STATES = {"live": "success", "in grace": "warning", "expired": "danger", "revoked": "danger"}
"""What a key can be, and the colour of it."""

_SHOWN_ONCE = "admin/tenants/apikey/shown_once.html"
_SECRET = "_plain_key"  # noqa: S105  # where the plain key waits between being issued and being shown


def key_state(key: ApiKey) -> str:
    """Whether the key opens doors now."""
    now = timezone.now()
    if key.blocked:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    if key.grace_until is not None:
        return "in grace" if key.grace_until > now else "expired"
    return "live"


def _may_give(request: HttpRequest, tenant: UUID | None, roles: Iterable[str]) -> bool:
    """Whether the person may hand out, or get hold of, a key of the tenant with these roles."""
    if is_operator(request) or not roles:
        return True
    own = Member.objects.filter(user=cast(User, request.user), tenant=tenant).values_list("role", flat=True)
    return roles_givable(roles, by=own)


@admin.register(ApiKey)
class KeyAdmin(TenantScopedAdmin[ApiKey]):
    """Keys of tenants and of the platform."""

    form = KeyForm
    inlines = (LimitInline, BudgetInline)
    list_display = ("name", "tenant", "project", "shown_as", "state", "expires_at", "last_used_at")
    list_filter = ("blocked",)
    list_select_related = ("tenant", "project")
    search_fields = ("name__istartswith", "tenant__name__istartswith", "last_four__exact")
    search_help_text = "Key, tenant or last four characters"
    autocomplete_fields = ("tenant", "project", "per_user_class", "granted_tenants")
    actions_detail = ("rotate", "revoke")
    tenant_paths = ("tenant",)
    empty_text = "A key opens the doors for one tenant. Issue one, hand it over, and make the first call."

    @display("begins and ends")
    def shown_as(self, key: ApiKey) -> str:
        """What may be seen of the key."""
        return f"{key.prefix}…{key.last_four}"

    @display("state", label=KEY_STATES)
    def state(self, key: ApiKey) -> str:
        """Whether the key opens doors."""
        return key_state(key)

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """Platform keys are for operators to issue, and what is known of a key comes with the key."""
        sets: list[Any] = [
            (None, {"fields": ("tenant", "name", "project")}),
            ("What it may do", {"fields": ("models", "networks", "expires_at", "per_user_class", "roles")}),
            ("Waiting", {"fields": ("priority",)}),
        ]
        if obj is not None:
            known = ("shown_as", "state", "grace_until", "last_used_at", "created_at", "rotated_from")
            sets.insert(1, ("The key", {"fields": known}))
        if is_operator(request) and (obj is None or obj.tenant_id is None):
            text = "For a key without a tenant: an operator's or finance's own."
            fields = ("all_tenants", "granted_tenants")
            sets.append(("Platform key", {"description": text, "classes": ("collapse",), "fields": fields}))
        return sets

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Tell the form which roles the person may give."""
        may_give = staticmethod(partial(_may_give, request))
        form = type("KeyForm", (KeyForm,), {"may_give": may_give})
        return super().get_form(request, obj, change, **{"form": form} | kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """A key stays with its tenant."""
        known = ("shown_as", "state", "grace_until", "last_used_at", "created_at", "rotated_from")
        return ("tenant", *known) if obj is not None else known

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A revoked key is history, and who may not give a key's roles does not get hold of them."""
        if isinstance(obj, ApiKey) and (obj.blocked or not _may_give(request, obj.tenant_id, obj.roles)):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A key is revoked first; with a blocked tenant it may go."""
        gone = not isinstance(obj, ApiKey) or obj.blocked or bool(obj.tenant and obj.tenant.blocked)
        return gone and super().has_delete_permission(request, obj)

    def has_rotate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Only a live key has a successor."""
        key = self.get_object(request, object_id) if object_id else None
        return key is not None and not key.grace_until and self.has_change_permission(request, key)

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """A key is revoked once."""
        key = self.get_object(request, object_id) if object_id else None
        return key is not None and not key.blocked and super().has_change_permission(request, key)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer one way to save: whichever it were, the key is shown next."""
        only = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, (extra_context or {}) | only)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Issue a new key; its plain text waits on the instance, in memory, for the page that shows it."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key, secret = key_issue(
            tenant=obj.tenant,
            name=obj.name,
            project=obj.project,
            models=obj.models,
            networks=obj.networks,
            expires_at=obj.expires_at,
            per_user_class=obj.per_user_class,
            roles=obj.roles,
            all_tenants=obj.all_tenants,
            priority=obj.priority,
        )
        vars(obj).update(vars(key) | {_SECRET: secret})

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key in place of a redirect: nothing that outlives this answer knows it."""
        return self._shown_once(request, obj, vars(obj).pop(_SECRET))

    @action("Rotate", permissions=("rotate",), icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Issue the key's successor, after asking how long the old one stays good."""
        key = self._key(request, object_id)
        form = RotateForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            seconds = int(form.cleaned_data["grace"])
            try:
                new, secret = key_rotate(key=key, grace_seconds=seconds)
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
                return HttpResponseRedirect(self._address(key))
            self.log_change(request, key, f"Rotated; good for another {timedelta(seconds=seconds)}.")
            self.log_addition(request, new, f"Issued in the place of {key.pk}.")
            return self._shown_once(request, new, secret)
        return confirmation_page(
            request,
            self,
            title=f"Rotate {key}",
            consequences=(
                "A new key is issued with the same name, rights, limits and budgets; it is shown once.",
                "What was spent under the old key counts for the new one.",
                "The old key is good for the grace period, and refused after it.",
            ),
            submit="Issue the new key",
            form=form,
            back=self._address(key),
        )

    @action("Revoke", permissions=("revoke",), icon="block", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuse the key from now on, after saying what that means."""
        key = self._key(request, object_id)
        if request.method == "POST":
            key_revoke(key=key)
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"{key} is revoked.")
            return HttpResponseRedirect(self._address(key))
        used = f"{timezone.localtime(key.last_used_at):%Y-%m-%d %H:%M %Z}" if key.last_used_at else "never"
        return confirmation_page(
            request,
            self,
            title=f"Revoke {key}",
            consequences=(
                "Every call with this key is refused within a second, on every machine.",
                "Calls that are under way are finished and charged.",
                "This cannot be undone: whoever uses the key needs a new one.",
                "Its past calls stay in the ledger.",
                f"It was last used: {used}.",
            ),
            submit="Revoke the key",
            dangerous=True,
            back=self._address(key),
        )

    def _key(self, request: HttpRequest, object_id: str) -> ApiKey:
        key = self.get_object(request, object_id)
        if key is None:
            raise PermissionDenied
        return key

    def _address(self, key: ApiKey) -> str:
        return reverse("admin:tenants_apikey_change", args=(key.pk,))

    def _shown_once(self, request: HttpRequest, key: ApiKey, secret: str) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": "Copy the key now",
            "opts": self.opts,
            "key": key,
            "secret": secret,
            "address": self._address(key),
        }
        return TemplateResponse(request, _SHOWN_ONCE, dict(context))
