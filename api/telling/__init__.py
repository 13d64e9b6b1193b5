"""The doors that only tell: one file a theme. They cost nothing and answer from the real state."""
