"""Filters of lists."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList


class DefaultedFilter(SimpleListFilter):
    """A filter whose first choice holds until another is made, so that a long list opens short."""

    def value(self) -> str:
        """The choice made, or the first."""
        known = [str(key) for key, _ in self.lookup_choices]
        chosen = super().value()
        return chosen if chosen in known else known[0]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The choices alone, without an `all` that nobody listed."""
        for number, (key, title) in enumerate(self.lookup_choices):
            query = (
                changelist.get_query_string({str(self.parameter_name): key})
                if number
                else changelist.get_query_string(remove=[str(self.parameter_name)])
            )
            yield {"selected": self.value() == str(key), "query_string": query, "display": title}
