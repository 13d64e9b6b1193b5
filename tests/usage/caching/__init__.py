"""Tests of the stores of kept answers."""
