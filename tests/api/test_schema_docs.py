"""The page that shows the document needs nothing from elsewhere, and would not load it either."""

import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from api.schema.views import POLICY

DOCS = "/api/docs/"


@pytest.fixture
def page(client: Client, settings: Any, db: None) -> Any:
    settings.GATEWAY_SCHEMA_PUBLIC = True
    return client.get(DOCS)


def test_everything_it_loads_is_a_static_file_of_ours(page: Any) -> None:
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"([^\"]+)\"", page.content.decode())
    assert len(loaded) == 5
    for address in loaded:
        assert address.startswith("/static/"), address
        assert finders.find(address.removeprefix("/static/")), address


def test_its_policy_lets_nothing_in_from_elsewhere(page: Any) -> None:
    assert page["Content-Security-Policy"] == POLICY
    sources = {word for part in POLICY.split("; ") for word in part.split(" ")[1:]}
    assert sources == {"'none'", "'self'", "data:"}


def test_nothing_runs_that_stands_in_the_page_itself(page: Any) -> None:
    text = page.content.decode()
    assert re.findall(r"<script>|<script [^>]*>[^<]+</script>|<style|\sstyle=|\son\w+=", text) == []


def test_it_brings_the_token_that_trying_needs(page: Any) -> None:
    assert page.cookies["csrftoken"].value
