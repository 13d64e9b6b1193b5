"""Django's own settings of the database, for those who speak to PostgreSQL without it."""

from django.db import connection
from psycopg.conninfo import make_conninfo

_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def conninfo() -> str:
    """As PostgreSQL's library spells them."""
    known = connection.settings_dict
    named = {word: known[name] for word, name in _NAMES.items() if known[name]}
    return make_conninfo(**known["OPTIONS"], **named)
