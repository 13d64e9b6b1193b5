"""Takes a LiteLLM Proxy over: its files as our declarative file, and what became of each of their lines.

Nothing is lost in silence. Whatever stands in a file is taken, changed with a reason, or left with a reason.
"""
