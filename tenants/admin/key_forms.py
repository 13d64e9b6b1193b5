"""What is asked when a key is issued, changed or rotated."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from tenants.admin.fields import LinesField
from tenants.keys import key_name_check
from tenants.models import ApiKey, Tenant
from tenants.roles import PLATFORM_ROLES, TENANT_ROLES
from tenants.unfolded import ModelForm

_GRACE_PERIODS = (
    (0, "none: the old key is refused at once"),
    (3_600, "one hour"),
    (86_400, "one day"),
    (604_800, "seven days"),
    (2_592_000, "thirty days"),
)


class KeyForm(ModelForm[ApiKey]):
    """A key that `key_issue` will accept."""

    models = LinesField(
        help_text="Models it may use, one a line, with patterns such as openai/*; empty allows all."
    )
    networks = LinesField(
        help_text="Networks it may come from, one a line, such as 10.0.0.0/8; empty allows all."
    )
    roles = forms.MultipleChoiceField(
        choices=[(role, role) for role in dict.fromkeys((*TENANT_ROLES, *PLATFORM_ROLES))],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None makes calls and nothing else. Operator is for keys without a tenant, owner, "
        "developer and viewer for keys of a tenant.",
    )
    may_give: Callable[[UUID | None, Iterable[str]], bool] = staticmethod(lambda tenant, roles: False)
    """Whether whoever fills the form in may hand out these roles within a tenant."""

    class Meta:
        model = ApiKey
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Find what the table could refuse only while the key is being stored."""
        data = super().clean() or self.cleaned_data
        tenant: Tenant | None = data.get("tenant", self.instance.tenant)
        if tenant is not None and data.get("granted_tenants"):
            self.add_error("granted_tenants", "Only platform keys act for other tenants.")
        if tenant is not None and not type(self).may_give(tenant.pk, data.get("roles", ())):
            self.add_error("roles", "You give a key the roles that you have yourself; owners give all.")
        is_live = not self.instance.blocked and self.instance.grace_until is None
        if "tenant" not in self.errors and is_live:
            try:
                key_name_check(tenant=tenant, name=data.get("name", ""), besides=self.instance)
            except forms.ValidationError as error:
                self.add_error(None, error)
        return data


class RotateForm(forms.Form):
    """How long the old key stays good."""

    grace = forms.ChoiceField(
        label="Grace period",
        choices=_GRACE_PERIODS,
        initial=86_400,
        widget=UnfoldAdminSelectWidget,
        help_text="Long enough for every machine that uses the key to get the new one.",
    )
