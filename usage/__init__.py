"""What was called: the ledger, its sums and statements, and the embedded books."""
