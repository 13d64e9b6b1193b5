"""Pages for tenants: who they are, what they may spend, and the keys they call with."""

from tenants.admin import bounds, keys, people, tenant

__all__ = ("bounds", "keys", "people", "tenant")
