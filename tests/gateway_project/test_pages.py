"""The admin's pages are no part of a start that shows none, and no check goes without them."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT, bare

PROGRAM = """
import json, django
django.setup()
from django.contrib import admin
from django.core import checks

def pages():
    return sorted(model._meta.label for model in admin.site._registry)

before = pages()
checks.run_checks(tags=[checks.Tags.admin])
print(json.dumps([before, pages()]))
"""


def test_pages_are_loaded_when_they_are_checked(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=bare({"GATEWAY_HOME": str(tmp_path)}),
        capture_output=True,
        check=True,
    )
    before, after = json.loads(told.stdout)
    assert before == []
    assert {"tenants.Tenant", "providers.Provider", "usage.LedgerEntry"} <= set(after)
