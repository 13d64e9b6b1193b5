"""The price book: prices are added, superseded and ended, never edited."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api.manage.errors import Conflict, NothingThere
from api.manage.fields import RowField, agreed, written_number
from api.manage.keys import RevocationSerializer
from api.manage.projects import tenant_field
from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from gateway.errors import InvalidRequest
from providers.admin.amounts import price_scale, price_unit
from providers.models import Price, Provider
from providers.prices import price_close, price_open_row, price_supersede
from tenants.money import text_of, units_of

_TERMS = ("provider", "model", "tenant", "side", "meter", "context_above", "service_tier", "region")
_LARGEST = 2**63 - 1


class ListedPriceField(serializers.Field[Any, Any, Any, Any]):
    """A price as price lists print it; how many picodollars that is, the meter says."""

    def get_attribute(self, instance: Price) -> Price:
        """The whole row."""
        return instance

    def to_representation(self, value: Price) -> str:
        """Dollars, to the last digit."""
        return text_of(value.pico_per_unit, price_scale(value.meter), least_digits=2)

    def to_internal_value(self, data: Any) -> str:
        """The number as it was written."""
        try:
            return written_number(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class PriceSerializer(RowSerializer[Price]):
    """A price."""

    provider = RowField(
        Provider.objects.all(),
        noun="providers",
        paths=("tenant",),
        lookups=("name",),
        required=False,
        allow_null=True,
    )
    tenant = tenant_field(required=False, allow_null=True)
    usd = ListedPriceField(required=False)
    unit = serializers.SerializerMethodField()
    together = ({"anyOf": [{"required": ["usd"]}, {"required": ["pico_per_unit"]}]},)
    holds_already = False

    class Meta:
        model = Price
        fields = (
            "id",
            *_TERMS,
            "usd",
            "unit",
            "pico_per_unit",
            "valid_from",
            "valid_until",
            "source",
            "created_at",
        )
        read_only_fields = ("id", "valid_until", "created_at")
        extra_kwargs = {"pico_per_unit": {"required": False}, "valid_from": {"required": False}}

    def get_unit(self, price: Price) -> str:
        """What the dollars are for."""
        return price_unit(price.meter)

    def validate(self, attrs: Any) -> Any:
        """One figure, in whichever unit."""
        if "usd" in attrs:
            try:
                attrs["usd"] = units_of(attrs["usd"], price_scale(attrs["meter"]))
            except ValueError as error:
                raise serializers.ValidationError({"usd": [str(error)]}) from None
        agreed(attrs, scaled="usd", whole="pico_per_unit", needed=True)
        return super().validate(attrs)

    def check(self, attrs: dict[str, Any]) -> None:
        """A price begins now or later: what was priced before keeps its price."""
        now = timezone.now()
        if attrs.get("valid_from", now) < now:
            raise serializers.ValidationError({"valid_from": ["A price begins now or later."]})
        self.candidate.valid_from = attrs.get("valid_from", now)

    def create(self, validated_data: dict[str, Any]) -> Price:
        """Put it into the book; one that holds already stays."""
        terms = {name: getattr(self.candidate, name) for name in (*_TERMS, "pico_per_unit", "source")}
        try:
            with transaction.atomic():
                price = price_supersede(**terms, at=validated_data.get("valid_from"))
        except IntegrityError:
            raise serializers.ValidationError(
                "Another price of the same terms holds then: they may not overlap."
            ) from None
        self.holds_already = price is None
        return price or price_open_row(self.candidate) or self.candidate


class PricesView(RowsView):
    """What units cost and sell for. A new price ends the one that holds on the same terms."""

    noun = "prices"
    queryset = Price.objects.select_related("provider", "tenant")
    serializer_class = PriceSerializer
    tenant_paths = ("tenant",)
    filters = {"provider": "provider", "tenant": "tenant"}
    texts = ("model", "meter", "side")

    def get_serializer_class(self) -> type[Any]:
        """Ending one takes no words."""
        return RevocationSerializer if self.action == "end" else PriceSerializer

    def get_object(self) -> Price:
        """The price of a number."""
        number = self.kwargs["ref"]
        price: Price | None = self.get_queryset().filter(pk=number).first() if number <= _LARGEST else None
        if price is None:
            raise NothingThere
        return price

    def cursor(self) -> int | None:
        """After which price the page begins."""
        text = self.request.query_params.get("after")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < len(str(_LARGEST))):
            raise InvalidRequest("Write the id of the last row of the page before.", param="after")
        return int(text)

    def create(self, request: Request) -> Response:
        """A price from now on, or from a later moment; 200 if it holds already."""
        serializer: Any = self.get_serializer(data=request.data)
        answer = self.stored("add", serializer, status.HTTP_201_CREATED)
        if serializer.holds_already:
            answer.status_code = status.HTTP_200_OK
        return answer

    def end(self, request: Request, **_: Any) -> Response:
        """Close an open price without a successor."""
        price = self.get_object()
        self.check_row("end", price)
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        if price.valid_until is not None:
            raise Conflict("This price has its end already.")
        price_close(price=price, at=max(timezone.now(), price.valid_from))
        return Response(PriceSerializer(price, context=self.get_serializer_context()).data)
