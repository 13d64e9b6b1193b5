"""Step 3: how secure a provider must be for what this call carries."""

from collections.abc import Mapping

from gateway.call import Call
from gateway.catalog import LEVELS, Deployment, Security
from gateway.errors import NoSecureProvider
from gateway.steps.route import Usable

_NEEDED: Mapping[str, Security] = {"public": "low", "internal": "medium", "confidential": "high"}


def screen(call: Call, usable: Usable, deployments: tuple[Deployment, ...]) -> Usable:
    """Keep only providers as secure as the caller says the content needs."""
    needed = LEVELS[_NEEDED[call.origin.sensitivity]]
    if not needed:
        return usable

    def secure(deployment: Deployment) -> bool:
        return LEVELS[deployment.provider.security] >= needed and usable(deployment)

    if any(map(usable, deployments)) and not any(map(secure, deployments)):
        raise NoSecureProvider
    return secure
