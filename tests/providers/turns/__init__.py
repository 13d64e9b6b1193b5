"""Tests of the turnstiles."""
