"""Moves the journal's lines from Redis to the ledger on PostgreSQL; lines repeat, rows do not."""
