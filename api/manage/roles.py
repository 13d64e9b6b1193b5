"""Who may do what: one table of roles, nouns and actions."""

from collections.abc import Iterable, Mapping

ROLES = ("operator", "delegate", "owner", "developer", "finance", "viewer")
"""An operator stands above all tenants. A delegate is an operator for some, since the key was granted no
others or X-Tenant-ID names one. All others are members of a tenant; a platform key may be finance too."""

ACTIONS: Mapping[str, str] = {
    "r": "read",
    "a": "add",
    "c": "change",
    "d": "delete",
    "t": "rotate",
    "k": "revoke",
    "e": "end",
    "b": "breaker",
}
"""The letters of the table."""

_TABLE = """
                operator  delegate  owner     developer finance   viewer
tenants         racd      rc        rc        r         r         r
projects        racd      racd      racd      r         r         r
keys            ractk     ractk     ractk     ractk     -         r
limits          racd      racd      racd      r         -         r
budgets         racd      racd      racd      r         r         r
limit-classes   racd      r         r         r         -         r
end-users       racd      racd      racd      r         -         r
providers       racd      r         r         r         -         r
provider-keys   racd      r         r         -         -         -
models          racd      -         -         -         -         -
deployments     rb        -         -         -         -         -
aliases         racd      -         -         -         -         -
defaults        racd      -         -         -         -         -
prices          rae       r         r         r         r         r
entries         r         r         r         r         r         r
"""


def _read(text: str) -> dict[str, dict[str, frozenset[str]]]:
    head, *lines = (line.split() for line in text.strip().splitlines())
    return {
        noun: {
            role: frozenset(ACTIONS[letter] for letter in letters if letter != "-")
            for role, letters in zip(head, cells, strict=True)
        }
        for noun, *cells in lines
    }


TABLE: Mapping[str, Mapping[str, frozenset[str]]] = _read(_TABLE)
"""Noun, role, actions."""


def roles_may(roles: Iterable[str], noun: str, action: str) -> bool:
    """Whether one of the roles may do that."""
    return any(action in TABLE[noun][role] for role in roles)
