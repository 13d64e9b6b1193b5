"""Django's record of this app."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Names the app in the admin."""

    name = "providers"
    verbose_name = "Providers"
