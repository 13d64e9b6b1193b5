"""An address for every inference door of the lane, below a root of their own."""

from django.urls import path, re_path

from api.doors import DOORS, Inference
from api.trying.index import IndexView
from api.trying.views import NoDoor, TryView

INFERENCE = {address: door for address, door in DOORS.items() if isinstance(door, Inference)}

urlpatterns = [
    path("", IndexView.as_view(), name="try"),
    *(
        path(address.removeprefix("/"), TryView.as_view(door=door, path=address), name=f"try {address}")
        for address, door in INFERENCE.items()
    ),
    re_path("", NoDoor.as_view(door=next(iter(INFERENCE.values())))),
]
