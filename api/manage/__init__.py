"""The management API: one file a noun, over the same rows, roles and services as the admin."""
