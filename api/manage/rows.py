"""What all bodies have in common: no field that is unknown, and the models' own rules."""

from copy import copy
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import serializers

from api.manage.fields import actor_of
from api.manage.strict import STRICT, bounds_of
from gateway.errors import Forbidden

_Row = TypeVar("_Row", bound=Model)


class StrictFields(serializers.Serializer[Any]):
    """Refuses fields that it does not know, beside whatever else is wrong."""

    def to_internal_value(self, data: Any) -> Any:
        """What the fields say; a field that is misspelt or only told is as wrong as a bad value."""
        writable = {name for name, field in self.fields.items() if not field.read_only}
        strange = {name: ["There is no such field to set."] for name in data if name not in writable}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            told: Any = error.detail
            raise serializers.ValidationError({**told, **strange}) from None
        if strange:
            raise serializers.ValidationError(strange)
        return values


class RowSerializer(StrictFields, serializers.ModelSerializer[_Row]):
    """A row as JSON; `candidate` is the row as it would be, unsaved and already checked."""

    fixed: ClassVar[tuple[str, ...]] = ()
    """Fields that stay as they were at first."""

    for_operators: ClassVar[tuple[str, ...]] = ()
    """Fields that members of the row's tenant may see and not change."""

    unchecked: ClassVar[tuple[str, ...]] = ()
    """Columns that a service fills in later."""

    together: ClassVar[tuple[dict[str, Any], ...]] = ()
    """What the fields of a new row have to be beside each other, as JSON schemas: the document says it."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, **STRICT}

    candidate: _Row

    def validate(self, attrs: Any) -> Any:
        """Rehearse the change on a copy of the row; who may not make it is not told what is wrong with it."""
        row = self.instance
        if row is not None:
            self._check_fixed(row, attrs)
        self.candidate = self._table()() if row is None else copy(row)
        for name, value in self.columns(attrs).items():
            setattr(self.candidate, name, value)
        view: Any = self.context["view"]
        view.check_row(view.deed, self.candidate)
        self._check_operators_fields(view.tenant_of(self.candidate))
        self.check(attrs)
        self.candidate.full_clean(exclude=self.unchecked)
        return attrs

    def check(self, attrs: dict[str, Any]) -> None:
        """What the models cannot know."""

    def columns(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The values that are columns of the row itself."""
        names = {field.name for field in self._table()._meta.concrete_fields}
        return {name: value for name, value in attrs.items() if name in names}

    def create(self, validated_data: Any) -> _Row:
        """Store the candidate."""
        self.candidate.save(force_insert=True)
        return self.candidate

    def update(self, instance: _Row, validated_data: Any) -> _Row:
        """Store what was changed and nothing else, so that a change beside this one stays."""
        self.candidate.save(update_fields=list(self.columns(validated_data)))
        return self.candidate

    def _check_operators_fields(self, tenant: Any) -> None:
        """Refuse to let members of the tenant set what is the operators' to say."""
        before = self.instance if self.instance is not None else self._table()()
        changed = [
            name for name in self.for_operators if getattr(before, name) != getattr(self.candidate, name)
        ]
        if changed and not actor_of(self.context["request"]).runs(tenant):
            raise Forbidden("This is for operators to say.", param=changed[0])

    def _table(self) -> Any:
        return self.Meta.model

    def _check_fixed(self, row: Any, attrs: dict[str, Any]) -> None:
        moved = [name for name in self.fixed if name in attrs and attrs[name] != getattr(row, name)]
        if moved:
            raise serializers.ValidationError({name: ["This stays as it was at first."] for name in moved})

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[type[Any], dict[str, Any]]:
        """A column of whole numbers takes the same on each database."""
        kind, options = super().build_standard_field(field_name, model_field)
        bounds = bounds_of(model_field)
        if bounds is not None and not options.get("read_only"):
            least, most = bounds
            options["min_value"] = max(least, options.get("min_value", least))
            options["max_value"] = min(most, options.get("max_value", most))
        return kind, options

    def get_validators(self) -> list[Any]:
        """None of the framework's own: the models check what has to be unique, within their conditions."""
        return []

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """No column is required for being part of something unique."""
        return extra_kwargs, {}
