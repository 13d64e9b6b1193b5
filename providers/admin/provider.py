"""Providers with their keys, whose secrets go in and never come out."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.widgets import UnfoldAdminPasswordWidget

from providers.keys import provider_key_secret_set
from providers.models import Deployment, Provider, ProviderKey
from tenants.scoping import TenantScopedAdmin, TenantScopedInline, TenantScopedStackedInline, is_operator
from tenants.secrets import SecretUnreadable, secret_open, secret_resolve
from tenants.unfolded import ModelForm, display

_ENVELOPE = "g1:"
_REFERENCES = ("env:", "file:", _ENVELOPE)


def secret_state(key: ProviderKey) -> str:
    """What may be said of a stored secret."""
    if key.secret.startswith(_ENVELOPE):
        return f"stored, ends in …{key.last_four}" if key.last_four else "stored"
    try:
        secret_resolve(reference=key.secret)
    except SecretUnreadable:
        return f"read from {key.secret}, where nothing is found"
    return f"read from {key.secret}"


class ProviderKeyForm(ModelForm[ProviderKey]):
    """A key whose secret is written only: left empty, the stored one stays."""

    secret = forms.CharField(
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )
    operator = False
    """References read the gateway's own environment and files, and are for operators to make."""

    class Meta:
        model = ProviderKey
        fields = "__all__"
        help_texts = {"rpm": "", "tpm": "", "parallel": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "secret" not in self.fields:
            return
        self.initial.pop("secret", None)
        field = self.fields["secret"]
        stored = not self.instance._state.adding
        field.required = not stored
        references = ", or env:NAME or file:PATH" if self.operator else ""
        kept = f"{capfirst(secret_state(self.instance))}. Empty keeps it. " if stored else ""
        field.help_text = f"{kept}The provider's key{references}; encrypted and never shown again."

    def clean_secret(self) -> str:
        """Accept a secret from anyone, and references from operators."""
        secret: str = self.cleaned_data["secret"]
        if not secret.startswith(_REFERENCES):
            return secret
        if not self.operator:
            raise forms.ValidationError("Write the secret itself: references are for operators.")
        if secret.startswith(_ENVELOPE):
            try:
                secret_open(envelope=secret)
            except SecretUnreadable as error:
                raise forms.ValidationError(str(error)) from error
        return secret

    def _post_clean(self) -> None:
        """Put the sealed secret on the row before the row is checked; the plain one goes no further."""
        secret = self.cleaned_data.pop("secret", "")
        if secret:
            provider_key_secret_set(key=self.instance, secret=secret)
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, which the stubs leave out


class ProviderKeyInline(TenantScopedStackedInline[ProviderKey, Provider]):
    """The provider's keys."""

    model = ProviderKey
    form = ProviderKeyForm
    autocomplete_fields = ("tenant",)
    tenant_paths = ("tenant", "provider__tenant")
    fieldsets = (
        (None, {"fields": ("name", "secret", "tenant", "blocked")}),
        ("The provider's limits, shared fairly among tenants", {"fields": (("rpm", "tpm", "parallel"),)}),
    )

    def get_formset(self, request: HttpRequest, obj: Provider | None = None, **kwargs: Any) -> Any:
        """Tell the form who is asking."""
        form = type("ProviderKeyForm", (ProviderKeyForm,), {"operator": is_operator(request)})
        return super().get_formset(request, obj, **{"form": form} | kwargs)


class ProviderDeploymentInline(TenantScopedInline[Deployment, Provider]):
    """What runs at the provider, to look at; it is changed on the model's page."""

    model = Deployment
    fields = readonly_fields = ("model", "upstream_model", "weight", "priority", "blocked")
    can_delete = False
    tenant_paths = ("provider__tenant",)
    verbose_name_plural = "models"
    per_page = 20

    def has_add_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        """A deployment is added to its model."""
        return False


@admin.register(Provider)
class ProviderAdmin(TenantScopedAdmin[Provider]):
    """Hosts that run models."""

    inlines = (ProviderKeyInline, ProviderDeploymentInline)
    list_display = ("name", "wire", "base_url", "security", "tenant", "state")
    list_filter = ("wire", "security_level", "blocked")
    list_select_related = ("tenant",)
    search_fields = ("name__istartswith", "base_url__icontains")
    autocomplete_fields = ("tenant",)
    tenant_paths = ("tenant",)
    operators_write = True
    empty_text = "A provider is a host that runs models, with the keys that open it. Begin here."
    fieldsets = (
        (None, {"fields": ("name", "wire", "base_url", "tenant")}),
        ("Trust", {"fields": ("security_level", "kind")}),
        ("Emergency stop", {"fields": ("blocked",)}),
        (
            "Patience",
            {
                "description": "In milliseconds.",
                "classes": ("collapse",),
                "fields": (
                    ("connect_timeout_ms", "first_byte_timeout_ms"),
                    ("idle_timeout_ms", "total_timeout_ms"),
                ),
            },
        ),
        (
            "Ways of its own",
            {
                "classes": ("collapse",),
                "fields": ("default_model", "headers", "includes_usage", "has_responses", "bills_to_end"),
            },
        ),
    )

    @display("state", label={"open": "success", "blocked": "danger"})
    def state(self, provider: Provider) -> str:
        """Whether calls are sent there."""
        return "blocked" if provider.blocked else "open"

    @display("trust", label={"high": "success", "medium": "info", "low": "warning"})
    def security(self, provider: Provider) -> str:
        """How far it is trusted."""
        return provider.security_level
