"""The admin's pages, which are loaded where they are shown: what drains or applies has no use for them."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class PagesConfig(SimpleAdminConfig):
    """Django's admin, whose pages are looked for when somebody asks for an address, or checks them."""

    def ready(self) -> None:
        """Have the pages checked as Django does."""
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(**named: Any) -> list[checks.CheckMessage]:
    admin.autodiscover()
    return check_admin_app(**named)
