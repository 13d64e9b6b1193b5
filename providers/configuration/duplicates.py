"""Whether a file says the same thing twice, which a mapping cannot and a list can."""

from collections.abc import Iterable, Iterator, Sequence

from providers.configuration.problems import path_join
from providers.configuration.schema import AnyKey, Bounded, Configuration


def duplicates_check(file: Configuration) -> Iterator[str]:
    """The problems of names that stand twice in a list."""
    for name, provider in (file.providers or {}).items():
        yield from _twice(f"{path_join('providers', name)}.keys", [key.name for key in provider.keys])
    for name, model in (file.models or {}).items():
        places = [(one.provider, one.model or name, one.region) for one in model.deployments or ()]
        yield from _twice(f"{path_join('models', name)}.deployments", places)
    for name, tenant in (file.tenants or {}).items():
        path = path_join("tenants", name)
        yield from _bounds(path, tenant)
        for project, bounded in (tenant.projects or {}).items():
            yield from _bounds(path_join(f"{path}.projects", project), bounded)
        yield from _keys(f"{path}.keys", tenant.keys or ())
    if file.platform:
        yield from _keys("platform.keys", file.platform.keys or ())
    yield from _secrets(file)


def _keys(path: str, keys: Iterable[AnyKey]) -> Iterator[str]:
    keys = tuple(keys)
    yield from _twice(path, [key.name for key in keys])
    for index, key in enumerate(keys):
        yield from _bounds(f"{path}[{index}]", key)


def _bounds(path: str, bounded: Bounded) -> Iterator[str]:
    yield from _twice(
        f"{path}.budgets",
        [(one.model, one.window, "hard" if one.hard else "soft") for one in bounded.budgets or ()],
    )


def _secrets(file: Configuration) -> Iterator[str]:
    """One secret cannot open two keys; which secret it is, nobody is told."""
    keys: list[tuple[str, AnyKey]] = []
    for name, tenant in (file.tenants or {}).items():
        path = path_join("tenants", name)
        keys += [(f"{path}.keys[{index}].secret", key) for index, key in enumerate(tenant.keys or ())]
    if file.platform:
        keys += [(f"platform.keys[{i}].secret", key) for i, key in enumerate(file.platform.keys or ())]
    seen: dict[str, str] = {}
    for path, key in keys:
        if key.secret and key.sha256:
            yield f"{path}: write the secret or its sha256, not both"
        if told := key.secret or key.sha256:
            if told in seen:
                yield f"{path}: this secret stands at {seen[told]} too"
            seen.setdefault(told, path)


def _twice(path: str, names: Sequence[str | tuple[str, ...]]) -> Iterator[str]:
    seen: set[str | tuple[str, ...]] = set()
    for index, name in enumerate(names):
        if name in seen:
            shown = " ".join(filter(None, name)) if isinstance(name, tuple) else name
            yield f"{path}[{index}]: {shown} stands twice"
        seen.add(name)
