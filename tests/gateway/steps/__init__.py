"""Tests of the steps of a call."""
