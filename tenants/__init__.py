"""Who may call: tenants, their people, keys, limits, budgets and policies."""
