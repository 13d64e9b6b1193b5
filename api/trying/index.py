"""What there is to try."""

from rest_framework.request import Request
from rest_framework.response import Response

from api.doors import DOORS, Inference
from api.manage.fields import actor_of
from api.trying.base import ROOT, PersonsView
from api.trying.payer import payers_listed


class IndexView(PersonsView):
    """Every inference door again, for people who are signed in: a tenant of yours pays. No key is needed."""

    def get_view_name(self) -> str:
        """What the page is called."""
        return "Try the doors"

    def get(self, request: Request) -> Response:
        """Addresses, and the tenants that could pay."""
        doors = [
            request.build_absolute_uri(f"{ROOT}{path}")
            for path, door in DOORS.items()
            if isinstance(door, Inference)
        ]
        return Response({"doors": doors, "tenants": payers_listed(actor_of(request))})
