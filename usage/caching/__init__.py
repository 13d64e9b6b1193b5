"""Kept answers that several processes share, on Redis."""
