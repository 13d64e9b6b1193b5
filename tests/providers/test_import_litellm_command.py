"""`manage.py import_litellm` from a shell."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from providers.models import Alias, Model, Provider, ProviderKey
from tenants.models import Tenant
from tests.support.configuration import printed
from tests.support.litellm_files import COMPANY, SMALL

pytestmark = pytest.mark.django_db
SECRETS = ("sk-literal-openai-one", "sk-master-of-acme-0001", "hunter2", "made-up-amazon")
TOKEN = "ab" * 32


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-amazon")


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(SMALL)
    return str(file)


def refused(*arguments: str, **options: Any) -> tuple[str, CommandError]:
    """What is printed before the command ends with an error."""
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError) as error:
        call_command("import_litellm", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue() + err.getvalue(), error.value


def test_what_can_be_taken_whole_is_applied(small: str) -> None:
    said = printed("import_litellm", small)
    assert "created   provider openai" in said
    assert "taken as they are: 1 line" in said
    assert ProviderKey.objects.get().secret == "env:OPENAI_API_KEY"
    assert Model.objects.get().name == "gpt-4o"
    assert "created" not in printed("import_litellm", small)


def test_a_dry_run_does_nothing(small: str) -> None:
    said = printed("import_litellm", small, dry_run=True)
    assert "created   model gpt-4o" in said
    assert "Nothing was changed: this was a dry run." in said
    assert not Provider.objects.exists()


@pytest.mark.parametrize("verbosity", [1, 2])
def test_what_is_left_is_told_and_no_secret_is(verbosity: int) -> None:
    said, error = refused(str(COMPANY), verbosity=verbosity)
    assert error.returncode == 3
    assert "model_list[8]: no wire here speaks vertex_ai" in said
    assert "router_settings.redis_host: where Redis is" in said
    assert not [secret for secret in SECRETS if secret in said + str(error)]
    assert Alias.objects.get(name="best").target == "gpt-4o"
    literal = ProviderKey.objects.get(provider__name="openai").secret
    assert literal.startswith("g1:")
    assert Tenant.objects.get().name == "default"


def test_rows_alike_are_told_in_one_line(tmp_path: Path, small: str) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([{"token": f"{n:064x}", "user_id": "charlie"} for n in range(9)]))
    said, _ = refused(small, keys=str(keys))
    assert "keys:[*].user_id (9 times, first keys:[0].user_id)" in said
    said, _ = refused(small, keys=str(keys), verbosity=2)
    assert "keys:[8].user_id" in said


def test_strictly_all_is_taken_or_nothing(small: str) -> None:
    _, error = refused(str(COMPANY), strict=True)
    assert error.returncode == 3
    assert not Provider.objects.exists()
    printed("import_litellm", small, strict=True)
    assert Provider.objects.exists()


def test_our_file_is_written_without_secrets_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    said, error = refused(str(COMPANY), write=str(file))
    assert error.returncode == 3
    text = file.read_text()
    assert not [secret for secret in SECRETS if secret in text + said]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "set OPENAI_MAIN_SECRET to the secret of provider key openai/main" in said
    assert not Provider.objects.exists()
    assert "created   provider azure-acme-eu" in printed("apply", str(file))


def test_a_written_file_is_printed_alone(small: str) -> None:
    out = StringIO()
    call_command("import_litellm", small, write="-", stdout=out, stderr=StringIO())
    assert out.getvalue().startswith("# Made by `manage.py import_litellm`.\nproviders:\n")


def test_a_file_that_cannot_be_read_or_written_is_refused(tmp_path: Path, small: str) -> None:
    hostile = tmp_path / "hostile.yaml"
    hostile.write_text("a: &a [*a]")
    assert "hostile.yaml: a[0]" in str(refused(str(hostile))[1])
    assert "there is no such file" in str(refused(str(tmp_path / "gone.yaml"))[1])
    assert "there is no such file" in str(refused(small, keys=str(tmp_path / "gone.json"))[1])
    assert "cannot be written" in str(refused(small, write=str(tmp_path / "no/folder.yaml"))[1])


def test_what_the_database_does_not_allow_changes_nothing(small: str) -> None:
    Alias.objects.create(name="gpt-4o", target="elsewhere")
    Model.objects.create(name="elsewhere")
    with_alias = Path(small).read_text() + "router_settings: {model_group_alias: {elsewhere: gpt-4o}}\n"
    Path(small).write_text(with_alias)
    _, error = refused(small)
    assert "Nothing was changed" in str(error)
    assert not Provider.objects.exists()
