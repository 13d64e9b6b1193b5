"""litellm comes late, off the loop, and only translates: each test looks at a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

_WATCH = """
import asyncio, json, sys, threading
reached, threads = [], []
def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        reached.append([event, str(arguments[1:])])
    if event == "import" and arguments[0] == "litellm":
        threads.append(threading.current_thread() is threading.main_thread())
sys.addaudithook(watch)
def tell(**told):
    seen = {"reached": reached, "threads": threads, "litellm": "litellm" in sys.modules}
    print("TOLD " + json.dumps(told | seen))
"""

_NATIVE = """
from gateway.catalog import Model, Snapshot
from gateway.wires import wire_for
from gateway.wires.litellm import needs_litellm
from tests.gateway.wires.litellm_form import anthropic_ask, deployed, openai_ask
for ask, deployment in [
    (openai_ask(), deployed("gpt-5", "openai", base_url="http://here/v1")),
    (openai_ask(), deployed("", "echo")),
    (anthropic_ask({"model": "mine"}), deployed("claude", "anthropic", base_url="http://here/v1")),
]:
    wire_for(ask, deployment.provider).build_request(ask, deployment)
def sure(*models):
    return needs_litellm(Snapshot(models={one.name: one for one in models}, aliases={}, defaults={}))
claude, gemini = deployed("claude", "anthropic"), deployed("gemini/x")
tell(
    sure=[
        sure(Model(name="a", deployments=(claude,))),
        sure(Model(name="b", kind="embedding", deployments=(gemini,))),
        sure(Model(name="a", deployments=(claude,)), Model(name="c", deployments=(claude, gemini))),
    ]
)
"""

_FIRST_NEED = """
from gateway.wires import wire_for
from tests.gateway.wires.litellm_form import deployed, openai_ask
async def main():
    turns = 0
    async def turn():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)
    turning = asyncio.create_task(turn())
    ask, deployment = openai_ask(), deployed("gemini/gemini-2.5-flash")
    wires = [wire_for(ask, deployment.provider) for _ in range(3)]
    await asyncio.gather(*(wire.prepare(ask, deployment, None) for wire in wires))
    turning.cancel()
    tell(turns=turns, urls=[wire.build_request(ask, deployment).url for wire in wires])
asyncio.run(main())
"""

_EVERYTHING = """
import logging
from gateway.translation import library
library.load()
logging.basicConfig(level=logging.DEBUG)
for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    logging.getLogger(name).setLevel(logging.DEBUG)
from tests.gateway.wires.litellm_form import QUESTION, TOOLS, anthropic_ask, deployed, openai_ask, translated
from tests.gateway.wires.litellm_shapes import SHAPES
words = [{"role": "user", "content": "my prompt"}]
asked = {**QUESTION, "tools": TOOLS, "reasoning_effort": "low", "messages": words}
own = {"model": "mine", "max_tokens": 9, "messages": words}
for shape in SHAPES.values():
    deployment = deployed(shape.upstream, shape.wire)
    for ask in (openai_ask(asked), openai_ask({**asked, "stream": True})):
        wire = translated(ask, deployment)
        wire.read_reply(ask, {}, shape.whole)
        for stream in (shape.stream, shape.error):
            wire.open_stream(ask).feed(stream)
    if shape.wire == "litellm":
        ask = anthropic_ask(own)
        translated(ask, deployment).read_reply(ask, {}, shape.whole)
from litellm.litellm_core_utils.prompt_templates.image_handling import convert_url_to_base64
from litellm.llms.custom_httpx.http_handler import HTTPHandler
def refused(work):
    try:
        work()
    except library.NetworkBarred:
        return True
    except Exception as error:
        return type(error).__name__
    return False
tell(
    refused=[
        refused(lambda: HTTPHandler().get("http://127.0.0.1:9/")),
        refused(lambda: HTTPHandler().post("http://127.0.0.1:9/")),
        refused(lambda: convert_url_to_base64("http://127.0.0.1:9/x.png")) is not False,
    ]
)
"""


def _run(program: str, **environment: str) -> tuple[dict[str, Any], str]:
    """What a program tells, and all else that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCH + program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout + done.stderr
    (told,) = [line.removeprefix("TOLD ") for line in printed.splitlines() if line.startswith("TOLD ")] or [
        json.dumps({"failed": printed})
    ]
    return json.loads(told), "\n".join(line for line in printed.splitlines() if not line.startswith("TOLD "))


def test_who_needs_no_translation_never_imports_it_and_rows_that_do_are_known_beforehand() -> None:
    told, _ = _run(_NATIVE)
    assert told["litellm"] is False
    assert told["sure"] == [False, False, True]


def test_it_is_imported_off_the_loop_once_for_all_who_wait() -> None:
    told, _ = _run(_FIRST_NEED)
    assert told["litellm"] is True
    assert told["threads"]
    assert not any(told["threads"])
    assert told["turns"] > 10
    assert len(told["urls"]) == 3


def test_it_reaches_no_network_and_prints_nothing() -> None:
    told, printed = _run(_EVERYTHING, LITELLM_LOG="DEBUG")
    assert told["reached"] == []
    assert told["refused"] == [True, True, True]
    for word in ("LiteLLM", "my prompt", "made-up-secret", "Hello wide"):
        assert word not in printed
