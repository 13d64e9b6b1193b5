"""Where accounts, holds and the journal live: one file a store, one contract for all."""
