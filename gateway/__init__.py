"""The engine of the gateway: a library of its own, without Django, Celery, Redis or SQL."""
