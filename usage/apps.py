"""Django's record of this app."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Names the app in the admin."""

    name = "usage"
    verbose_name = "Usage"
