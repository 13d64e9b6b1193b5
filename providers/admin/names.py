"""Checks of the names that aliases and fallbacks point with."""

from django.core.exceptions import ValidationError

from gateway.patterns import best_pattern
from providers.models import Alias, Model


def target_check(target: str) -> None:
    """Refuse a name that no model, alias or pattern answers to."""
    if Model.objects.filter(name=target).exists() or Alias.objects.filter(name=target).exists():
        return
    patterns = Model.objects.filter(name__contains="*").values_list("name", flat=True)
    if best_pattern(patterns, target) is None:
        raise ValidationError(f"No model, alias or pattern answers to {target}.")


def alias_check(name: str, target: str) -> None:
    """Refuse an alias that leads back to itself."""
    aliases = dict(Alias.objects.values_list("name", "target"))
    aliases[name] = target
    seen = {name}
    while target in aliases:
        if target in seen:
            raise ValidationError("The alias would lead back to itself.")
        seen.add(target)
        target = aliases[target]
