"""The caps and customs of the house, held over every file."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP = [
    "manage.py",
    "gateway",
    "gateway_project",
    "tenants",
    "providers",
    "usage",
    "api",
    "templates",
    "tests",
]
TOP += ["requirements.txt", "README.md"]
MADE = {"var", "staticfiles"}
TEXT = {".py", ".lua", ".html", ".js", ".css", ".sql", ".toml", ".yaml", ".yml", ".sh", ""}
FILE_LINES = 300
FUNCTION_LINES = 40
COMPROMISED = {"1.82.7", "1.82.8", "1.107.0"}
PRINTERS = re.compile(r"^bench/|/management/commands/")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> dict[str, str]:
    """The text of our own files by path; what is hidden, generated or kept by a running gateway is not."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name not in MADE]
    visible = [path for path in folders if not path.name.startswith(".")]
    paths = [path for folder in visible for path in folder.rglob("*") if "__pycache__" not in path.parts]
    paths += ROOT.iterdir()
    ours = [
        path for path in paths if path.is_file() and path.suffix in TEXT and not path.name.startswith(".")
    ]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in ours}


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax of every Python file that a person wrote."""
    written = {
        path: text for path, text in files().items() if path.endswith(".py") and "/migrations/" not in path
    }
    return {path: ast.parse(text) for path, text in written.items()}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    return ((path, node) for path, module in modules().items() for node in ast.walk(module))


def functions() -> Iterator[tuple[str, Function]]:
    return ((path, node) for path, node in nodes() if isinstance(node, FUNCTION))


def place(path: str, node: ast.stmt | ast.expr) -> str:
    return f"{path}:{node.lineno}"


def length(function: Function) -> int:
    """Lines from the first of the signature to the last of the body, without the docstring and decorators."""
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def is_bodiless(function: Function) -> bool:
    return any(
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and line.value.value is Ellipsis
        for line in function.body
    )


def declarations(module: ast.Module) -> set[ast.AST]:
    """Functions that may lack a body: a protocol's, and the overloads of another."""
    protocols = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and "Protocol" in names(node.bases)
    ]
    members = {member for protocol in protocols for member in ast.walk(protocol)}
    defined = [node for node in ast.walk(module) if isinstance(node, FUNCTION)]
    return members | {node for node in defined if "overload" in names(node.decorator_list)}


def names(expressions: list[ast.expr]) -> set[str]:
    """The last words of names: `Protocol` for `typing.Protocol[T]`."""
    return {ast.unparse(expression).partition("[")[0].rpartition(".")[2] for expression in expressions}


def test_files_are_short() -> None:
    too_long = {path: len(files()[path].splitlines()) for path in modules()}
    assert {path: count for path, count in too_long.items() if count > FILE_LINES} == {}


def test_functions_are_short() -> None:
    assert {
        place(path, node): size for path, node in functions() if (size := length(node)) > FUNCTION_LINES
    } == {}


def test_nothing_is_left_for_later() -> None:
    assert [
        path for path, text in files().items() if UNFINISHED.search(text) and path != "tests/test_house.py"
    ] == []


def test_every_function_has_a_body() -> None:
    excused = {path: declarations(module) for path, module in modules().items()}
    bare = [
        place(path, node) for path, node in functions() if is_bodiless(node) and node not in excused[path]
    ]
    raised = [(path, node) for path, node in nodes() if isinstance(node, ast.Raise) and node.exc is not None]
    stubs = [place(path, node) for path, node in raised if "NotImplementedError" in ast.unparse(node)]
    assert bare + stubs == []


def test_imports_are_absolute() -> None:
    relative = ((path, node) for path, node in nodes() if isinstance(node, ast.ImportFrom) and node.level)
    assert [place(path, node) for path, node in relative] == []


def test_only_benchmarks_and_commands_print() -> None:
    calls = (
        (path, node) for path, node in nodes() if isinstance(node, ast.Call) and not PRINTERS.search(path)
    )
    assert [place(path, node) for path, node in calls if ast.unparse(node.func) == "print"] == []


@pytest.mark.parametrize("name", TOP)
def test_the_house_has_its_parts(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_architecture_shows_what_there_is() -> None:
    """The plan is the first fenced block: packages at the margin, what is in them indented by two spaces."""
    plan = (ROOT / "docs/ARCHITECTURE.md").read_text().split("```")[1].splitlines()[1:]
    missing, package = [], ""
    for indent, word in re.findall(r"^((?:  )?)(\w[\w.]*/?)", "\n".join(plan), re.MULTILINE):
        package = package if indent else word
        path = package + word if indent else word
        if word.endswith(("/", ".py")) and not (ROOT / path).exists():
            missing.append(path)
    assert package
    assert missing == []


@pytest.mark.parametrize("name", ["requirements.in", "requirements-dev.in", "requirements-clients.in"])
def test_every_dependency_says_why(name: str) -> None:
    lines = [
        line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-"))
    ]
    assert [line for line in lines if not re.search(r"\S\s+# \w.{5,}", line)] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-clients.txt"])
def test_every_package_is_pinned_by_hash_and_comes_from_anywhere(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#") and line[0] != " "]
    assert lines
    assert [
        line[:60] for line in lines if not re.match(r"[\w.\-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)
    ] == []


def test_litellm_is_none_of_the_compromised_releases() -> None:
    pinned = re.search(r"^litellm==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert pinned[1] not in COMPROMISED
