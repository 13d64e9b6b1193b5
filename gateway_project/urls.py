"""Addresses that Django's own handler serves; the inference doors are routed ahead of it."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
