"""Models with their deployments and fallbacks, in the words of the configuration file, and aliases."""

from typing import Annotated, Any, get_args

from msgspec import UNSET, Meta

from api.manage.fields import StructField, fraction_told, problems_refuse
from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from providers.configuration import parts, schema
from providers.configuration.names import names_check
from providers.configuration.problems import ConfigurationRefused, path_join
from providers.configuration.pruning import known_stored
from providers.configuration.routing import model_routing_set
from providers.models import Alias, Model, Route

_CAUSES = {"propertyNames": {"enum": [*get_args(parts.Cause)]}}
_ByCause = Annotated[dict[parts.Cause, parts.Names], Meta(extra_json_schema=_CAUSES)]


class DeploymentsField(StructField):
    """Where a model runs; the list is one value, and a row that stays keeps what is not said of it."""

    form = tuple[schema.Deployment, ...]

    def get_attribute(self, instance: Model) -> list[dict[str, Any]]:
        """The deployments as the file writes them."""
        return [
            {
                "provider": row.provider.name,
                "model": row.upstream_model,
                "weight": row.weight,
                "priority": row.priority,
                "region": row.region,
                "max_parallel": row.max_parallel,
                "quality": fraction_told(row.quality),
                "blocked": row.blocked,
                "held_open": row.held_open,
            }
            for row in instance.deployments.all()
        ]


class FallbacksField(StructField):
    """What stands in for a model: a list for any cause, or lists by cause."""

    form = parts.Names | _ByCause

    def get_attribute(self, instance: Model) -> list[str] | dict[str, list[str]]:
        """The fallbacks as the file writes them."""
        by_cause: dict[str, list[str]] = {}
        for route in instance.routes.all():
            by_cause.setdefault(route.cause, []).append(route.target)
        only_any = set(by_cause) <= {Route.Cause.ANY.value}
        return by_cause.get(Route.Cause.ANY, []) if only_any else by_cause


class ModelSerializer(RowSerializer[Model]):
    """A model."""

    deployments = DeploymentsField(required=False)
    fallbacks = FallbacksField(required=False)

    class Meta:
        model = Model
        fields = (
            "id",
            "name",
            "kind",
            "context_window",
            "max_output_tokens",
            "vocabulary",
            "capabilities",
            "strategy",
            "sticky",
            "hedge",
            "batch_size",
            "batch_ms",
            "connect_timeout_ms",
            "first_byte_timeout_ms",
            "idle_timeout_ms",
            "total_timeout_ms",
            "blocked",
            "deployments",
            "fallbacks",
            "created_at",
        )
        read_only_fields = ("id", "created_at")

    def check(self, attrs: dict[str, Any]) -> None:
        """Every name leads somewhere, as in the file."""
        name = self.candidate.name
        file = schema.Configuration(models={name: _wanted(attrs)})
        problems_refuse(names_check(file, known_stored(file, prune=False)), path_join("models", name))

    def create(self, validated_data: dict[str, Any]) -> Model:
        """Store the model and where it runs."""
        return self._routed(super().create(validated_data), validated_data)

    def update(self, instance: Model, validated_data: dict[str, Any]) -> Model:
        """Store what was changed, and where it runs if that was said."""
        return self._routed(super().update(instance, validated_data), validated_data)

    def _routed(self, model: Model, attrs: dict[str, Any]) -> Model:
        try:
            model_routing_set(model=model, wanted=_wanted(attrs))
        except ConfigurationRefused as error:
            problems_refuse(error.problems, "")
        return model


class AliasSerializer(RowSerializer[Alias]):
    """An alias."""

    class Meta:
        model = Alias
        fields = ("id", "name", "target", "created_at")
        read_only_fields = ("id", "created_at")

    def check(self, attrs: dict[str, Any]) -> None:
        """It leads somewhere, and not back to itself; a model's own name wins over it."""
        name = self.candidate.name
        file = schema.Configuration(aliases={name: self.candidate.target})
        problems = names_check(file, known_stored(file, prune=False))
        problems_refuse(problems, path_join("aliases", name), "target")


class ModelsView(RowsView):
    """Names that callers use, where each runs, and what stands in for it."""

    noun = "models"
    queryset = Model.objects.prefetch_related("deployments__provider", "routes")
    serializer_class = ModelSerializer
    address = {"name": "name"}


class AliasesView(RowsView):
    """Second names of models."""

    noun = "aliases"
    queryset = Alias.objects.all()
    serializer_class = AliasSerializer
    address = {"name": "name"}


def _wanted(attrs: dict[str, Any]) -> schema.Model:
    return schema.Model(deployments=attrs.get("deployments", UNSET), fallbacks=attrs.get("fallbacks", UNSET))
