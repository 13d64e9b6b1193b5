"""Answers that are kept: which calls may have one, what they are found by, and where they stay."""
