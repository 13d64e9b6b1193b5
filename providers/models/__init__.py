"""The tables of the providers app."""

from providers.models.defaults import PlatformDefault
from providers.models.health import Health
from providers.models.model import Alias, Deployment, Model, Route
from providers.models.price import Price
from providers.models.provider import Provider, ProviderKey

__all__ = (
    "Alias",
    "Deployment",
    "Health",
    "Model",
    "PlatformDefault",
    "Price",
    "Provider",
    "ProviderKey",
    "Route",
)
