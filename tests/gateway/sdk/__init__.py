"""Tests of the gateway in a script."""
