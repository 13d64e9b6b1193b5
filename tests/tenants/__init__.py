"""Tests of the tenants app."""
