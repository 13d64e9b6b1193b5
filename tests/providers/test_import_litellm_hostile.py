"""Files that would break a reader are refused at once, by name and place."""

import json
from pathlib import Path

import pytest

from providers.configuration.problems import ConfigurationRefused
from providers.litellm_import import guarded
from providers.litellm_import.files import configuration_files, merged, parts_of, table_read
from providers.litellm_import.findings import Fate, Findings
from providers.litellm_import.guarded import json_read, yaml_read
from providers.litellm_import.translate import translate

_LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
_MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_LAUGHS, "with its aliases the file has more than"),
        (_MERGES, "with its aliases the file has more than"),
        ("general_settings: &a {again: *a}", "general_settings.again: this alias leads back to itself"),
        ("a: &a [*a]", "a[0]: this alias leads back to itself"),
        ("a: &a {<<: *a}", "a: this alias leads back to itself"),
        ("[" * 5000, "nested deeper"),
        ("a: {" * 100, "nested deeper"),
        ("model_list: {1: x}", "model_list: a name in line 1 is not a text"),
        ("model_list: {true: x}", "model_list: a name in line 1 is not a text"),
        ("{[a, b]: x}", "a name in line 1 is not a text"),
        ("a: {b: 1, b: 2}", "a.b: this stands twice"),
        (f"a: [1, {'9' * 5000}]", "a[1]: this is no figure"),
        ("a: 1e999999999", "a: this is no figure"),
        ("a: !!python/object/apply:os.system [id]", "a: this is neither"),
        ("a: !!python/name:os.system x", "a: this tag is not known"),
        ("a: !!binary aGk=", "a: this tag is not known"),
        ("a: {<<: 5}", "a: only mappings can be merged"),
        (f"{'n' * 300}: 1", "a name must be printable"),
        ('"a\\e[31m": 1', "a name must be printable"),
        ("a: *nowhere", "undefined alias"),
        ("a: 'hunter2", "this is not YAML"),
        ("a: b\x00c", "this is not YAML"),
    ],
)
def test_a_hostile_text_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        yaml_read(text, "config.yaml")
    (said,) = refused.value.problems
    assert problem in said
    assert said.startswith("config.yaml")
    assert "hunter2" not in said


def test_a_text_of_all_proportion_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "LARGEST_TEXT", 10)
    monkeypatch.setattr(guarded, "LARGEST_TABLE", 10)
    for read in (yaml_read, json_read, table_read):
        with pytest.raises(ConfigurationRefused, match="longer than 10"):
            read("a: 3456789012", "config.yaml")


@pytest.mark.parametrize("text", ["[" * 100_000, "{", '[{"a": ' + "[" * 60 + "]" * 60 + "}]", '[{"": 1}]'])
def test_a_hostile_table_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationRefused):
        table_read(text, "keys")


def test_a_row_with_more_fields_than_the_head_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match=r"keys\[0\]"):
        table_read("token,models\na,b,c\n", "keys")


def test_anchors_that_people_write_are_read() -> None:
    text = "base: &base {rpm: 1, model: a}\nmodel: {<<: *base, model: b}\nlist: [*base, *base]"
    read = yaml_read(text, "config.yaml")
    assert read["model"] == {"rpm": 1, "model": "b"}
    assert read["list"] == [{"rpm": 1, "model": "a"}] * 2


def test_figures_are_exact() -> None:
    assert str(yaml_read("a: 0.0000001500000000000001", "f")["a"]) == "1.500000000000001E-7"


def write(folder: Path, **files: object) -> Path:
    for name, values in files.items():
        (folder / f"{name}.yaml").write_text(json.dumps(values))
    return folder / "main.yaml"


def test_included_files_go_on_lists_and_have_the_last_word(tmp_path: Path) -> None:
    model = {"model_name": "m", "litellm_params": {"model": "openai/m"}}
    main = write(
        tmp_path,
        main={"include": ["more.yaml"], "model_list": [model], "router_settings": {"num_retries": 1}},
        more={
            "include": ["main.yaml", "more.yaml"],
            "model_list": [model],
            "router_settings": {"num_retries": 2},
        },
    )
    files = configuration_files(main)
    assert [file.label for file in files] == ["", "more.yaml:"]
    root = merged(parts_of(files, Findings()))
    assert [part.path for part in root.get("model_list").parts()] == [
        "model_list[0]",
        "more.yaml:model_list[0]",
    ]
    assert root.get("router_settings").get("num_retries").value == 2
    left = {one.path for one in translate(files, environ={}).of(Fate.LEFT)}
    assert left == {"router_settings", "more.yaml:router_settings.num_retries"}


@pytest.mark.parametrize("include", [["gone.yaml"], "gone.yaml", [5], ["list.yaml"]])
def test_an_include_that_cannot_be_read_is_refused(tmp_path: Path, include: object) -> None:
    with pytest.raises(ConfigurationRefused):
        configuration_files(write(tmp_path, main={"include": include}, list=[1]))
