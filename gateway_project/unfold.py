"""How the operators' pages are named and arranged."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy


def _page(title: str, icon: str, table: str) -> dict[str, Any]:
    """A line of the sidebar, for those who may see the table."""
    app, _, model = table.partition(".")

    def permission(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{model}")

    link = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": permission}


def _group(title: str, *pages: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(pages)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "LLM gateway",
    "SITE_HEADER": "LLM gateway",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            _group(
                "Tenants",
                _page("Tenants", "apartment", "tenants.tenant"),
                _page("Projects", "folder", "tenants.project"),
                _page("API keys", "key", "tenants.apikey"),
                _page("Limits", "speed", "tenants.limit"),
                _page("Limit classes", "stacks", "tenants.limitclass"),
                _page("End users", "person", "tenants.enduser"),
            ),
            _group(
                "Models & providers",
                _page("Models", "neurology", "providers.model"),
                _page("Deployments", "lan", "providers.deployment"),
                _page("Aliases", "alt_route", "providers.alias"),
                _page("Providers", "dns", "providers.provider"),
            ),
            _group(
                "Money",
                _page("Ledger", "receipt_long", "usage.ledgerentry"),
                _page("Corrections", "healing", "usage.correction"),
                _page("Calls in flight", "pending", "usage.hold"),
                _page("Budgets", "savings", "tenants.budget"),
                _page("Prices", "sell", "providers.price"),
            ),
            _group(
                "People",
                _page("Users", "group", "auth.user"),
                _page("Groups", "groups", "auth.group"),
            ),
        ],
    },
}
