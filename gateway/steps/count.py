"""Step 4 too: the tokens of a prompt, counted here where no provider of the model counts them."""

import msgspec

from gateway.call import Reply, Usage
from gateway.tab import Tab
from gateway.texts import prompt_in, prompt_texts
from gateway.tokens import TokenCounter

_encode = msgspec.json.Encoder().encode


async def count_here(tab: Tab, counter: TokenCounter) -> Reply:
    """An estimate of the texts; pictures and documents are not in it."""
    ask = tab.call.ask
    tab.usage = Usage()
    tokens = await counter.count(prompt_texts(ask.members, prompt_in(ask.members)))
    return Reply(
        status=200,
        content_type="application/json",
        body=_encode({"input_tokens": tokens}),
        usage=tab.usage,
    )
