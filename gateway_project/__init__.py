"""The Django project: settings, addresses and the processes that carry the gateway."""
