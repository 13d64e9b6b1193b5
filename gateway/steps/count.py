"""Step 4 too: the tokens of a prompt, counted here where no provider of the model counts them."""

import msgspec

from gateway.call import Reply, Usage
from gateway.steps.route import Usable
from gateway.tab import Tab
from gateway.texts import prompt_in, prompt_texts
from gateway.tokens import TokenCounter

_encode = msgspec.json.Encoder().encode


async def count_here(tab: Tab, usable: Usable, counter: TokenCounter) -> Reply | None:
    """An estimate of the texts; pictures and documents are not in it. None where a provider knows better."""
    ask = tab.call.ask
    if ask.kind != "count" or any(map(usable, tab.model.deployments)):
        return None
    tab.usage = Usage()
    tokens = await counter.count(prompt_texts(ask.members, prompt_in(ask.members)))
    return Reply(
        status=200,
        content_type="application/json",
        body=_encode({"input_tokens": tokens}),
        usage=tab.usage,
    )
