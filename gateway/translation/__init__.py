"""Formats that no wire of ours speaks: litellm turns bytes into bytes, our own transport carries them."""
