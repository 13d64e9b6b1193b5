"""What is wrong with a file, and where."""

from collections.abc import Sequence

from gateway.errors import GatewayError


class ConfigurationRefused(GatewayError):
    """The file was refused; nothing was changed."""

    code = "configuration_refused"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def path_join(path: str, name: str) -> str:
    """The path of a member, quoted where its name would read as several."""
    plain = all(mark.isalnum() or mark in "_-*/:" for mark in name) and name
    member = name if plain else f'"{name}"'
    return f"{path}.{member}" if path else member
