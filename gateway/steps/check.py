"""Step 7: whether a reply is one."""

from gateway.call import Reply
from gateway.errors import ProviderEmpty


def check_reply(reply: Reply) -> None:
    """An answer without a single choice or vector is a failure of the provider, and another may do better."""
    if reply.empty:
        raise ProviderEmpty
