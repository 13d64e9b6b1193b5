"""End to end: a served gateway, real clients, a scripted provider."""
