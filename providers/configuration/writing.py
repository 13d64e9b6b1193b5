"""Plain values to YAML that reads back as the same values, here and under other YAML readers."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import yaml

from providers.configuration.document import RESOLVERS
from providers.configuration.figures import plain

_WIDTH = 110


class _Dumper(yaml.SafeDumper):
    """Quotes a text that either YAML's usual words or ours would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """What stands twice is written twice, as people do."""
        return True


def document_write(sections: Mapping[str, Any], comments: Iterable[str]) -> str:
    """The YAML text of some sections under comment lines."""
    head = "".join(f"# {comment}\n" for comment in comments)
    if not sections:
        return head
    # None writes the innermost mappings and lists on one line.
    body = yaml.dump(
        sections, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=_WIDTH, allow_unicode=True
    )
    return head + body


def _decimal(dumper: yaml.SafeDumper, figure: Decimal) -> yaml.ScalarNode:
    text = format(plain(figure), "f")
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(Decimal, _decimal)
for _tag, _pattern, _first in RESOLVERS:
    _Dumper.add_implicit_resolver(_tag, _pattern, list(_first))
