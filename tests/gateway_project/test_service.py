"""The gateway as an app for another server: made in a process of its own, before Django is set up."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway_project.service import create_gateway_service
from tests.support.gateway_server import configured_gateway, is_ready
from tests.support.ports import free_port
from tests.support.processes import ROOT, bare
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.waiting import eventually

CONFIGURATION = """
providers: {echo: {wire: echo}}
models: {"*": {max_output_tokens: 100, deployments: [{provider: echo, model: "*"}]}}
tenants: {acme: {keys: [{name: app, secret: a-key-that-is-long-enough-for-a-test}]}}
"""
KEY = "a-key-that-is-long-enough-for-a-test"

SCRIPT = """
from gateway_project.service import create_gateway_service

# Create service
service = create_gateway_service(
    service_name="gateway-service",
    config_overrides={
        "cache_service_url": "http://cache-service:8080",
        "gateway_home": %r,
        "gateway_admin_token": "a-token-that-is-long-enough",
    }
)
"""


@contextmanager
def served(folder: Path, home: Path) -> Iterator[int]:
    """The script's app under uvicorn, by its plain command line; the port."""
    port = free_port()
    (folder / "service.py").write_text(SCRIPT % str(home))
    command = (sys.executable, "-m", "uvicorn", "service:service.app", "--port", str(port))
    environment = bare({"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))})
    del environment["DJANGO_SETTINGS_MODULE"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        ready = eventually(lambda: process.poll() is not None or is_ready(port), within=30)
        assert ready, (folder / "log").read_text()
        assert process.poll() is None, (folder / "log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, path: str, body: dict[str, object], key: str = KEY) -> Answer:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return exchange(port, request_bytes("POST", path, headers, json.dumps(body).encode()))


def test_the_service_answers_at_its_doors_and_keeps_the_ledger(tmp_path: Path) -> None:
    with configured_gateway(CONFIGURATION) as server, served(tmp_path, server.home) as port:
        generated = ask(port, "/api/v1/gateway/generate", {"prompt": "What is AI?", "model": "gpt-4"})
        assert (generated.status, generated.json()["data"]["text"]) == (200, "What is AI?")
        messages = [{"role": "user", "content": "hello"}]
        assert ask(port, "/v1/chat/completions", {"model": "gpt-4", "messages": messages}).status == 200
        refused = ask(port, "/api/v1/gateway/generate", {"prompt": "hello"}, key="nobody's")
        assert refused.status == 401
        health = exchange(port, request_bytes("GET", "/health", {}, b""))
        assert health.json()["service"] == "gateway-service"
        rows = eventually(lambda: [row for row in server.ledger() if row.status == "settled"][1:])
        assert rows
        assert "CACHE_SERVICE_URL has no effect" in (tmp_path / "log").read_text()


def test_the_documents_example_makes_a_service(tmp_path: Path) -> None:
    *_, example = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.M | re.S)
    environment = bare({"PYTHONPATH": str(ROOT), "GATEWAY_HOME": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{example}\nprint(service.name, callable(service.app))"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("gateway-service True\n", "")


def test_once_django_is_set_up_it_is_too_late() -> None:
    environ = dict(os.environ)
    with pytest.raises(ImproperlyConfigured, match="before Django is set up"):
        create_gateway_service("gateway-service", {"PORT": 1})
    assert dict(os.environ) == environ


def test_what_is_no_setting_is_refused(tmp_path: Path) -> None:
    script = "from gateway_project.service import *; create_gateway_service('x', {'cash_ttl': 1, 'port': 2})"
    environment = bare({"PYTHONPATH": str(ROOT), "GATEWAY_HOME": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode
    assert "no settings of the gateway: CASH_TTL." in done.stderr
