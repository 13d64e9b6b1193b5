"""Credits only grow, and every configuration write raises the revision."""

from django.db import migrations

from tenants.triggers import additions_only, revision_moves, triggers_operation

_CONFIGURATION = (
    "tenants_tenant",
    "tenants_project",
    "tenants_member",
    "tenants_apikey_granted_tenants",
    "tenants_limitclass",
    "tenants_limit",
    "tenants_budget",
    "tenants_policy",
)
_KEY_COLUMNS = (
    "id",
    "created_at",
    "tenant_id",
    "project_id",
    "name",
    "digest",
    "pepper",
    "prefix",
    "last_four",
    "lineage",
    "models",
    "networks",
    "expires_at",
    "blocked",
    "grace_until",
    "rotated_from_id",
    "per_user_class_id",
    "roles",
    "all_tenants",
)
"""All but last_used_at, which moves with every call and changes no decision."""


class Migration(migrations.Migration):
    """Triggers of the tenants app."""

    dependencies = (("tenants", "0001_initial"),)
    operations = (
        triggers_operation(
            additions_only("tenants_credit"),
            revision_moves("tenants_apikey", columns=_KEY_COLUMNS),
            revision_moves("tenants_enduser", additions=False),
            *(revision_moves(table) for table in _CONFIGURATION),
        ),
    )
