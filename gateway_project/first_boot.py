"""What the environment asks for at the first start."""

from django.conf import settings
from django.db import DatabaseError

from tenants.keys import key_issue
from tenants.models import ApiKey
from tenants.secrets import key_digest, peppers

_ADMIN_KEY = "admin"


def first_boot() -> None:
    """Make the platform key of `GATEWAY_ADMIN_TOKEN`, once; before migrations there is nowhere to put it."""
    token = settings.GATEWAY_ADMIN_TOKEN
    if not token:
        return
    digests = [key_digest(key=token, pepper=pepper) for pepper in peppers().keys.values()]
    try:
        known = ApiKey.objects.filter(digest__in=digests).exists()
    except DatabaseError:
        return
    if not known:
        key_issue(tenant=None, name=_ADMIN_KEY, secret=token, roles=["operator"], all_tenants=True)
