"""Django's record of this app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Names the app in the admin."""

    name = "tenants"
    verbose_name = "Tenants"
