"""Step 3: how secure a provider must be for what this call carries."""

from gateway.call import Call
from gateway.catalog import Deployment
from gateway.errors import NoSecureProvider
from gateway.steps.route import Usable

LEVELS = {"low": 0, "medium": 1, "high": 2}
_NEEDED = {"public": "low", "internal": "medium", "confidential": "high"}


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
