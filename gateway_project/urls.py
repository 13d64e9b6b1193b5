"""Addresses that Django's own handler serves; the inference doors are routed ahead of it."""

from django.contrib import admin
from django.urls import include, path, re_path

admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^api/v1/manage(?:/|$)", include("api.manage.urls")),
    path("api/try/", include("api.trying.urls")),
    path("api/", include("api.schema.urls")),
]

handler400 = "api.trying.base.refuse_request"
