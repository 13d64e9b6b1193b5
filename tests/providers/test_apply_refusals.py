"""A file that is wrong is refused as a whole, and told all that is wrong with it and where."""

import traceback
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from providers.configuration.names import patterns_meet
from providers.configuration.problems import ConfigurationRefused
from providers.models import Provider
from tenants.models import Tenant
from tenants.revision import current_revision
from tests.support.configuration import apply, problems_of

pytestmark = pytest.mark.django_db

ECHO = "providers: {echo: {wire: echo}}\nmodels: {m: {deployments: [{provider: echo}]}}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tenents: {}", "tenents: unknown field, did you mean tenants?"),
        ("providers: {a: {wires: echo}}", "providers.a.wires: unknown field, did you mean wire?"),
        (
            "tenants: {acme: {limits: {rpm: 1, rmp: 2}}}",
            "tenants.acme.limits.rmp: unknown field, did you mean rpm?",
        ),
        ("tenants: {acme: {keys: [{name: a, x: 1}]}}", "tenants.acme.keys[0].x: unknown field; known are "),
        ("tenants: {acme: {keys: [{}]}}", "tenants.acme.keys[0].name: this field is required"),
        ("tenants: {acme: {limits: {rpm: '60'}}}", "tenants.acme.limits.rpm: Expected int, got str"),
        ("tenants: {acme: {limits: {rpm: -1}}}", "tenants.acme.limits.rpm: Expected int >= 0"),
        ("tenants: {acme: {limits: {rpm: 1.5}}}", "tenants.acme.limits.rpm: Expected int, got decimal"),
        ("tenants: {acme: {keys: [a]}}", "tenants.acme.keys[0]: write a mapping of names and values"),
        ("tenants: {acme: {keys: {name: a}}}", "tenants.acme.keys: write a list"),
        ("models: {gpt-4.1: {kind: chatty}}", "models.\"gpt-4.1\".kind: Invalid enum value 'chatty'"),
        ("models: {m: {fallbacks: {errors: [m]}}}", "models.m.fallbacks.errors: Invalid enum value 'errors'"),
        ("prices: [{model: m, input: .nan}]", "prices[0].input: Invalid decimal string"),
        ("prices: [{model: m, input: NaN}]", "prices[0].input: this is not a figure"),
        ("[]", "the file: write a mapping of names and values"),
        (
            "a: [",
            "The file is not YAML: expected the node content, but found '<stream end>' in line 1, column 5",
        ),
        ("? [a]\n: b", "The file is not YAML: found unhashable key in line 1, column 3"),
        ("7: {}", "7: unknown field"),
        ("models: {7: {}}", "models.7: Expected text, got int"),
        ("tenants: {acme: }", "tenants.acme: write a mapping of names and values"),
        ("tenants: {acme: {limits: {rpm: 99999999999999999999}}}", "tenants.acme.limits.rpm: "),
        ("aliases: {a: m, a: n}", "The file is not YAML: the key 'a' stands twice"),
        (
            "tenants: {acme: {keys: [{name: a}, {name: b}, {name: a}]}}",
            "tenants.acme.keys[2]: a stands twice",
        ),
        (
            "tenants: {acme: {keys: [{name: a, secret: xyz}]}}\nplatform: {keys: [{name: b, secret: xyz}]}",
            "platform.keys[0].secret: this secret stands at tenants.acme.keys[0].secret too",
        ),
        (
            "tenants: {acme: {budgets: [{amount: 1}, {amount: 2}]}}",
            "tenants.acme.budgets[1]: month hard stands twice",
        ),
    ],
)
def test_a_wrong_form_is_refused_where_it_stands(text: str, problem: str) -> None:
    found = problems_of(text)
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "models: {m: {deployments: [{provider: gone}]}}",
            "models.m.deployments[0].provider: there is no provider gone",
        ),
        (ECHO + "aliases: {a: gone}", "aliases.a: there is no model, alias or pattern for gone"),
        (ECHO + "aliases: {m: m}", "aliases.m: a model has this name, so the alias would never be used"),
        (
            "models: {m: {fallbacks: {error: [m, gone]}}}",
            "models.m.fallbacks.error[1]: there is no model, alias or pattern for gone",
        ),
        (
            ECHO + "tenants: {acme: {keys: [{name: a, models: [m, gone]}]}}",
            "tenants.acme.keys[0].models[1]: there is no model, alias or pattern for gone",
        ),
        (
            ECHO + 'tenants: {acme: {keys: [{name: a, models: ["gone/*"]}]}}',
            "tenants.acme.keys[0].models[0]: there is no model, alias or pattern for gone/*",
        ),
        ("defaults: {embedding: gone}", "defaults.embedding: there is no model, alias or pattern for gone"),
        (
            "tenants: {acme: {defaults: {chat: gone}}}",
            "tenants.acme.defaults.chat: there is no model, alias or pattern for gone",
        ),
        (
            "tenants: {acme: {budgets: [{amount: 1, model: gone}]}}",
            "tenants.acme.budgets[0].model: there is no model, alias or pattern for gone",
        ),
        ("prices: [{provider: gone, model: m, input: 1}]", "prices[0].provider: there is no provider gone"),
        ("prices: [{tenant: gone, model: m, input: 1}]", "prices[0].tenant: there is no tenant gone"),
        ("providers: {p: {wire: echo, tenant: gone}}", "providers.p.tenant: there is no tenant gone"),
        (
            "providers: {p: {wire: echo, default_model: gone}}",
            "providers.p.default_model: there is no model, alias or pattern for gone",
        ),
        (
            "tenants: {acme: {projects: {a: {}}, keys: [{name: a, project: gone}]}}",
            "tenants.acme.keys[0].project: there is no project gone",
        ),
        (
            "tenants: {acme: {keys: [{name: a, per_user: {class: gone}}]}}",
            "tenants.acme.keys[0].per_user.class: there is no limit class gone",
        ),
        (
            "platform: {keys: [{name: a, tenants: [gone]}]}",
            "platform.keys[0].tenants[0]: there is no tenant gone",
        ),
        (
            'providers: {echo: {wire: echo}}\nmodels: {m: {deployments: [{provider: echo, model: "*"}]}}',
            "models.m.deployments[0].model: a star needs a pattern to fill it, and m is not one",
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


def test_aliases_may_not_lead_in_a_circle() -> None:
    found = problems_of("aliases: {a: b, b: a}")
    assert found == ["aliases.a: the alias leads back to itself", "aliases.b: the alias leads back to itself"]


def test_names_may_lead_to_what_is_configured_already_and_to_patterns() -> None:
    apply("providers: {echo: {wire: echo}}")
    apply('models: {"openai/gpt-*": {deployments: [{provider: echo, model: "*"}]}}')
    apply("aliases: {a: openai/gpt-4, b: a}")
    apply('tenants: {acme: {keys: [{name: k, models: ["openai/*", "openai/gpt-4*", "*", a, openai/gpt-9]}]}}')
    assert len(problems_of("aliases: {c: openai/other}")) == 1


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("openai/*", "openai/gpt-*", True),
        ("openai/*", "azure/*", False),
        ("*-mini", "openai/*", True),
        ("*-mini", "*-large", False),
        ("gpt-*-mini", "gpt-4o-mini", True),
        ("gpt-*-mini", "gpt-4o", False),
        ("gpt-4o", "gpt-4o", True),
    ],
)
def test_patterns_meet_where_a_name_fits_both(one: str, other: str, meet: bool) -> None:
    assert patterns_meet(one, other) is meet
    assert patterns_meet(other, one) is meet


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("providers: {p: {wire: openai}}", "providers.p.base_url: This wire format needs an address."),
        (
            "providers: {p: {wire: echo, base_url: ftp://x}}",
            "providers.p.base_url: Write http or https, a host and a path, such as https://api.openai.com/v1.",
        ),
        (
            "providers: {p: {wire: echo, timeout: {idle: 0.0001}}}",
            "providers.p.timeout.idle: 0.0001 is not a whole number of milliseconds from 0 up",
        ),
        (
            "providers: {p: {wire: echo, limits: {rpm: 1}}}",
            "providers.p.limits: a provider's limits need a key to hang on",
        ),
        (
            "providers: {p: {wire: echo, keys: [{name: a}]}}",
            "providers.p.keys[0].secret: a new key needs a secret: write env:NAME, file:PATH or itself",
        ),
        (
            "tenants: {acme: {time_zone: Berlin}}",
            "tenants.acme.time_zone: 'Berlin' is not a time zone, such as Europe/Berlin.",
        ),
        (
            "tenants: {acme: {contract: {markup_bps: -10001}}}",
            "tenants.acme.contract.markup_bps: Ensure this value is greater than or equal to -10000.",
        ),
        (
            'tenants: {acme: {budgets: [{amount: "0.0000000001"}]}}',
            "tenants.acme.budgets[0].amount: 1E-10 is not a whole number of nano-dollars from 0 up",
        ),
        (
            "tenants: {acme: {limits: {burst: {calls: 1, seconds: 1}}}}",
            "tenants.acme.limits.burst: this belongs to requests per minute: write rpm too",
        ),
        ("prices: [{model: m, input: -1}]", "prices[0].input: -1 is not a price"),
        ("prices: [{model: a b, input: 1}]", "prices[0].model: A model's name has no spaces."),
        (
            "prices: [{model: m, input: 1}, {model: m, output: 1, input: 2}]",
            "prices[1].input: the price of m input stands at prices[0].input too",
        ),
        (
            "tenants: {acme: {keys: [{name: a, secret: two words}]}}",
            "tenants.acme.keys[0]: A key is written in printable ASCII without spaces.",
        ),
    ],
)
def test_a_value_that_means_nothing_is_refused(text: str, problem: str) -> None:
    assert problem in problems_of(text)


def test_all_problems_are_told_at_once_and_nothing_is_changed() -> None:
    revision = current_revision()
    found = problems_of("""
        providers: {p: {wire: openai}, fine: {wire: echo}}
        tenants:
          acme: {time_zone: Berlin}
          globex: {keys: [{name: a, models: [gone], secret: env:NOT_SET_HERE}]}
        """)
    assert [problem.partition(":")[0] for problem in found] == [
        "tenants.globex.keys[0].models[0]",
        "tenants.acme.time_zone",
        "tenants.globex.keys[0].secret",
        "providers.p.base_url",
    ]
    assert not Tenant.objects.exists()
    assert not Provider.objects.exists()
    assert current_revision() == revision


def test_a_refusal_does_not_quote_secrets() -> None:
    broken = "a: {secret: sk-hidden-secret, b: [}"
    spaced = "tenants: {a: {keys: [{name: a, secret: sk-hidden secret}]}}"
    for text in (broken, spaced):
        with pytest.raises(ConfigurationRefused) as refused:
            apply(text)
        assert "sk-hidden" not in "".join(traceback.format_exception(refused.value, limit=0))


def test_all_wrong_forms_are_told_at_once() -> None:
    found = problems_of("provider: {}\ntenants: {acme: {limits: {rpm: x}, keys: [{nam: a}]}}")
    assert [problem.partition(":")[0] for problem in found] == [
        "provider",
        "tenants.acme.limits.rpm",
        "tenants.acme.keys[0].nam",
        "tenants.acme.keys[0].name",
    ]


def test_the_command_refuses_in_words(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("tenents: {}")
    with pytest.raises(CommandError, match="Nothing was changed:\n  tenents: unknown field"):
        call_command("apply", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply", str(tmp_path / "none.yaml"))
