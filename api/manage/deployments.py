"""Where models run, one row a place, and the breaker of each by hand."""

from typing import Any, get_args

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.manage.rows import RowSerializer, StrictFields
from api.manage.views import RowsView
from providers.breakers import BreakerWord, breaker_set, breaker_state
from providers.models import Deployment, Model, Provider


class DeploymentSerializer(RowSerializer[Deployment]):
    """A deployment, as it is and not to be changed here: the list of its model does that."""

    model: "serializers.SlugRelatedField[Model]" = serializers.SlugRelatedField("name", read_only=True)
    provider: "serializers.SlugRelatedField[Provider]" = serializers.SlugRelatedField("name", read_only=True)
    breaker = serializers.SerializerMethodField()

    class Meta:
        model = Deployment
        fields = (
            "id",
            "model",
            "provider",
            "upstream_model",
            "region",
            "blocked",
            "breaker",
            "held_open",
            "breaker_closed_at",
            "created_at",
        )
        read_only_fields = fields

    def get_breaker(self, deployment: Deployment) -> str:
        """Whether calls go there: `closed`, `open` or `held open`."""
        return breaker_state(deployment)


class BreakerSerializer(StrictFields, serializers.Serializer[Any]):
    """Hold it open, close it now, or leave it to itself."""

    state = serializers.ChoiceField(choices=get_args(BreakerWord))


class DeploymentsView(RowsView):
    """Places where models run; `POST …/breaker` keeps calls away from one, or lets them through."""

    noun = "deployments"
    queryset = Deployment.objects.select_related("model", "provider").prefetch_related("health")
    serializer_class = DeploymentSerializer
    filters = {"model": "model", "provider": "provider"}

    def get_serializer_class(self) -> type[Any]:
        """What the deed asks for."""
        return BreakerSerializer if self.action == "breaker" else DeploymentSerializer

    def breaker(self, request: Request, **_: Any) -> Response:
        """Hold the breaker open, close it now, or leave it to itself, however often this is asked."""
        deployment: Deployment = self.get_object()
        self.check_row("breaker", deployment)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        breaker_set(deployment=deployment, state=asked.validated_data["state"])
        row = self.get_queryset().get(pk=deployment.pk)
        return Response(DeploymentSerializer(row, context=self.get_serializer_context()).data)
