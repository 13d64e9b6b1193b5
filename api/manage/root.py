"""What there is to manage, for whoever asks; and what there is not."""

from typing import Any

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from api.manage.envelope import ROOT
from api.manage.fields import actor_of
from api.manage.roles import TABLE
from api.manage.views import ManageView
from gateway.errors import UnknownDoor


class RootView(ManageView):
    """The nouns, and what you may do with each of them."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        """Addresses and rights."""
        actor = actor_of(request)
        nouns: dict[str, Any] = {}
        for noun, roles in TABLE.items():
            actions = sorted(frozenset[str]().union(*roles.values()))
            may = [action for action in actions if actor.may_somewhere(noun, action)]
            if may:
                nouns[noun] = {"address": f"{ROOT}/{noun}", "may": may}
        return Response({"data": nouns})


class NoView(ManageView):
    """An address that leads nowhere, for strangers and all others."""

    permission_classes = ()

    def initial(self, request: Request, *arguments: Any, **options: Any) -> None:
        """There is nothing."""
        super().initial(request, *arguments, **options)
        raise UnknownDoor
