"""What `make run` prepares: a gateway that answers before anything is configured.

Whatever is there already stays as it is, so that a second start changes nothing.
"""

import json
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction

from providers.models import Alias, Deployment, Model, PlatformDefault, Provider
from providers.prices import price_supersede
from tenants.keys import key_issue
from tenants.models import ApiKey, Budget, Limit, Tenant

TENANT = "demo"
PROVIDER = "echo"
OPERATOR = "operator"

_BUDGET_NANO = 100 * 10**9
_REQUESTS_A_MINUTE = 6_000
_PICO = {"input": 150_000, "output": 600_000, "image": 40_000_000_000}
_MODELS = {"echo": "chat", "echo-embedding": "embedding", "*": "chat"}
_DEFAULTS = {"chat": "echo", "embedding": "echo-embedding"}
_ALIASES = {
    "tiny": "gemma3:4b",
    "small": "gemma3:12b",
    "large": "openai/gpt-oss-20b",
    "frontier": "claude-sonnet-4-20250514",
    "coding": "qwen3-coder:30b-a3b-q8_0-64k",
    "embedding": "mxbai-embed-large:335m",
}


def demo_prepare(*, host: str, port: int) -> str:
    """Migrate, make what is missing, and tell what to try."""
    call_command("migrate", verbosity=0, interactive=False)
    if _is_loopback(host) and not settings.GATEWAY_ANONYMOUS_TENANT:
        settings.GATEWAY_ANONYMOUS_TENANT = TENANT
    settings.GATEWAY_STAND_IN_PROVIDER = settings.GATEWAY_STAND_IN_PROVIDER or PROVIDER
    kept = Path(settings.GATEWAY_HOME) / "demo.json"
    if not kept.exists():
        with transaction.atomic():
            _provider_make()
            told = {"key": _tenant_make(), "password": _operator_make()}
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(told))
    return _told(f"http://{host}:{port}", json.loads(kept.read_text()))


def _provider_make() -> None:
    """The echo provider, behind a model of its own and behind every name that nothing better serves."""
    provider, made = Provider.objects.get_or_create(
        name=PROVIDER, defaults={"wire": "echo", "security_level": "high", "default_model": "echo"}
    )
    if not made:
        return
    sizes = {"context_window": 131_072, "max_output_tokens": 16_384}
    for name, kind in _MODELS.items():
        model, _ = Model.objects.get_or_create(name=name, defaults={"kind": kind, **sizes})
        Deployment.objects.get_or_create(model=model, provider=provider, upstream_model=name)
    for meter, pico in _PICO.items():
        price_supersede(provider=provider, model="*", meter=meter, pico_per_unit=pico)
    for name, target in _ALIASES.items():
        Alias.objects.get_or_create(name=name, defaults={"target": target})
    for kind, name in _DEFAULTS.items():
        PlatformDefault.objects.get_or_create(kind=kind, defaults={"model": name})


def _tenant_make() -> str:
    """A tenant with a limit, a budget and a key; the key is answered."""
    tenant, made = Tenant.objects.get_or_create(name=TENANT, defaults={"title": "Demo"})
    if made:
        Limit.objects.create(
            tenant=tenant, unit=Limit.Unit.REQUESTS, window=Limit.Window.MINUTE, amount=_REQUESTS_A_MINUTE
        )
        Budget.objects.create(tenant=tenant, amount_nano=_BUDGET_NANO, window=Budget.Window.MONTH)
    taken = ApiKey.objects.filter(tenant=tenant).count()
    return key_issue(tenant=tenant, name=f"demo-{taken + 1}" if taken else "demo")[1]


def _operator_make() -> str:
    """A login for the admin; the password is answered, or a hint where the login was there before."""
    users = get_user_model()
    if users.objects.filter(username=OPERATOR).exists():
        return "(the one you chose)"
    password = secrets.token_urlsafe(12)
    users.objects.create_superuser(username=OPERATOR, password=password)
    return password


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _told(url: str, kept: Mapping[str, str]) -> str:
    return f"""
The gateway answers at {url}

  key       {kept["key"]}
  admin     {url}/admin/   {OPERATOR} / {kept["password"]}
  doors     {url}/api/docs/

Try it:

  curl {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {kept["key"]}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"model": "echo", "messages": [{{"role": "user", "content": "hello"}}]}}'

Stop it with Ctrl-C.
"""
