"""Whatever a file says, nothing of it is lost in silence, and what is made of it can be applied."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from providers.configuration.apply import configuration_apply
from providers.configuration.names import Known, names_check
from providers.configuration.reading import configuration_read
from providers.litellm_import.files import File
from providers.litellm_import.findings import Fate, Finding
from providers.litellm_import.guarded import yaml_read
from providers.litellm_import.translate import translate
from tests.support.litellm_files import configurations, covers, leaves, rows


def find(findings: list[Finding], leaf: str) -> list[Finding]:
    return [one for one in findings if covers(one.path, leaf)]


@given(configurations)
@settings(max_examples=60)
def test_each_line_has_one_fate(values: dict[str, Any]) -> None:
    read = yaml_read(json.dumps(values, ensure_ascii=False), "config.yaml")
    result = translate([File("", read)], environ={})
    for leaf in leaves(read):
        found = find(list(result.findings), leaf) if leaf else [None]
        assert len(found) == 1, leaf
    assert all(one.reason for one in result.findings if one.fate is not Fate.TAKEN)


@given(configurations, rows, rows)
@settings(max_examples=60)
def test_what_is_made_of_it_reads_as_a_configuration(values: dict[str, Any], keys: Any, teams: Any) -> None:
    files = [File("", yaml_read(json.dumps(values, ensure_ascii=False), "config.yaml"))]
    tables = {"keys": File("keys:", keys), "teams": File("teams:", teams)}
    result = translate(files, environ={}, **tables)
    for text in (result.text(), result.text_shown()):
        assert list(names_check(configuration_read(text), Known())) == []


NOT_SHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each try writes tables."""


@pytest.mark.django_db
@given(configurations, rows, rows)
@settings(max_examples=10, phases=NOT_SHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_made_of_it_can_be_applied(values: dict[str, Any], keys: Any, teams: Any) -> None:
    files = [File("", yaml_read(json.dumps(values, ensure_ascii=False), "config.yaml"))]
    result = translate(files, environ={}, keys=File("keys:", keys), teams=File("teams:", teams))
    configuration_apply(text=result.text(), dry_run=True)


@given(rows)
@settings(max_examples=60)
def test_each_field_of_a_key_has_one_fate(keys: Any) -> None:
    result = translate([File("", {})], environ={}, keys=File("keys:", keys))
    for index, row in enumerate(keys):
        for leaf in leaves(row):
            path = f"keys:[{index}].{leaf}" if leaf else f"keys:[{index}]"
            assert len(find(list(result.findings), path)) == 1, path
