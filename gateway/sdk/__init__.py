"""The engine in a plain script: its ports in memory, its loop in a thread of its own. See docs/python.md."""
