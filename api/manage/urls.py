"""Every address of the management API: a noun, its rows by id or by name, and what else is done to a row."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, path, re_path

from api.manage.bounds import BudgetsView, LimitsView
from api.manage.deployments import DeploymentsView
from api.manage.entries import EntriesView
from api.manage.keys import KeysView
from api.manage.models import AliasesView, ModelsView
from api.manage.prices import PricesView
from api.manage.projects import ProjectsView
from api.manage.providers import ProviderKeysView, ProvidersView
from api.manage.requests import RequestsView
from api.manage.root import NoView, RootView
from api.manage.tenants import TenantsView
from api.manage.users import DefaultsView, EndUsersView, LimitClassesView
from api.manage.views import RowsView

_ROWS: dict[str, Any] = {"get": "list", "post": "create"}
_ROW: dict[str, Any] = {"get": "retrieve", "patch": "change", "delete": "remove"}
_NAMED_ROW: dict[str, Any] = {**_ROW, "put": "place"}


def _addresses(
    view: type[RowsView],
    *,
    rows: dict[str, Any] = _ROWS,
    row: dict[str, Any] = _NAMED_ROW,
    ref: str = "path",
    deeds: tuple[str, ...] = (),
) -> Iterator[URLPattern]:
    noun = view.noun
    yield path(noun, view.as_view(rows, name=noun), name=noun)
    for deed in deeds:
        yield path(
            f"{noun}/<{ref}:ref>/{deed}", view.as_view({"post": deed}, name=deed), name=f"{noun}-{deed}"
        )
    yield path(f"{noun}/<{ref}:ref>", view.as_view(row, name=noun), name=f"{noun}-row")


_KEY: dict[str, Any] = {"get": "retrieve", "patch": "change"}
_READ: dict[str, Any] = {"get": "retrieve"}

urlpatterns = [
    path("", RootView.as_view(), name="root"),
    *_addresses(TenantsView),
    *_addresses(ProjectsView),
    *_addresses(KeysView, row=_KEY, ref="uuid", deeds=("rotate", "revoke")),
    *_addresses(LimitsView, row=_ROW, ref="uuid"),
    *_addresses(BudgetsView, row=_ROW, ref="uuid"),
    *_addresses(LimitClassesView),
    *_addresses(EndUsersView),
    *_addresses(ProvidersView),
    *_addresses(ProviderKeysView),
    *_addresses(ModelsView),
    *_addresses(DeploymentsView, rows={"get": "list"}, row=_READ, ref="uuid", deeds=("breaker",)),
    *_addresses(AliasesView),
    *_addresses(DefaultsView),
    *_addresses(PricesView, row=_READ, ref="int", deeds=("end",)),
    *_addresses(EntriesView, rows={"get": "list"}, row=_READ, ref="uuid"),
    path(
        "requests/<path:ref>",
        RequestsView.as_view({"get": "explain"}, name="requests"),
        name="requests-row",
    ),
    re_path("", NoView.as_view()),
]
