"""Tests of what is kept of answers."""
