"""Pages for providers: hosts and their keys, models and where they run, and the price book."""

from providers.admin import deployment, model, price, provider

__all__ = ("deployment", "model", "price", "provider")
