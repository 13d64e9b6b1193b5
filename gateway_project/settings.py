"""Every setting of the process, read once; `ENVIRONMENT` lists the variables for `docs/settings.md`."""

import os
from base64 import b64encode
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any

from gateway_project.database import database_settings
from gateway_project.environment import Environment
from gateway_project.unfold import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_REDIS = ("redis", "rediss", "unix")
_environment = Environment(os.environ)


def _first_key() -> str:
    return f"1:{b64encode(token_bytes(32)).decode()}"


GATEWAY_HOME = Path(
    _environment.text(
        "GATEWAY_HOME",
        str(BASE_DIR / "var"),
        meaning="Folder of what is kept on this machine: database and secrets.",
    )
)
SECRET_KEY = _environment.kept(
    "SECRET_KEY",
    GATEWAY_HOME / "secret_key",
    lambda: token_urlsafe(50),
    meaning="Signs sessions and forms; must be the same on every machine.",
)
GATEWAY_KEY_RING = _environment.kept(
    "GATEWAY_KEY_RING",
    GATEWAY_HOME / "key_ring",
    _first_key,
    meaning="Keys for stored secrets, `number:base64` parted by commas; the highest number encrypts.",
)
GATEWAY_PEPPERS = _environment.kept(
    "GATEWAY_PEPPERS",
    GATEWAY_HOME / "peppers",
    _first_key,
    meaning="Peppers of tenants' keys, written as the key ring is; new keys take the highest.",
)
GATEWAY_ADMIN_TOKEN = _environment.text(
    "GATEWAY_ADMIN_TOKEN", meaning="Becomes a platform key for all tenants at first boot."
)
GATEWAY_ANONYMOUS_TENANT = _environment.text(
    "GATEWAY_ANONYMOUS_TENANT", meaning="Tenant that serves calls without a key; empty refuses them."
)
GATEWAY_STAND_IN_PROVIDER = _environment.text(
    "GATEWAY_STAND_IN_PROVIDER",
    meaning="Provider that answers for whichever is named and not configured; empty refuses them.",
)

VERSION = "0.1.0"

SERVICE_NAME = _environment.text("SERVICE_NAME", "llm-gateway", meaning="What the health doors call it.")
HOST = _environment.text("HOST", "127.0.0.1", meaning="Address to listen on.")
PORT = _environment.integer("PORT", 8000, minimum=1, meaning="Port to listen on.")
ALLOWED_HOSTS = _environment.names(
    "GATEWAY_ALLOWED_HOSTS",
    tuple(dict.fromkeys((*_LOOPBACK, HOST))),
    meaning="Host names that requests may carry.",
)
GATEWAY_MAX_BODY_BYTES = _environment.integer(
    "GATEWAY_MAX_BODY_BYTES", 25 * 1024 * 1024, minimum=1024, meaning="Largest request body; beyond it, 413."
)
GATEWAY_CORS_ORIGINS = _environment.names(
    "GATEWAY_CORS_ORIGINS", (), meaning="Origins of web pages that may call with a key of theirs; * is any."
)
CSRF_TRUSTED_ORIGINS = list(
    _environment.names(
        "GATEWAY_TRUSTED_ORIGINS",
        (),
        meaning="Origins that admin pages are served from behind a proxy, such as https://gateway.example.com.",
    )
)
GATEWAY_SCHEMA_PUBLIC = _environment.boolean(
    "GATEWAY_SCHEMA_PUBLIC", meaning="Whether strangers may read /api/schema/ and /api/docs/."
)
GATEWAY_SOCKET_IDLE_SECONDS = _environment.integer(
    "GATEWAY_SOCKET_IDLE_SECONDS",
    300,
    minimum=1,
    meaning="How long a WebSocket without an open request is kept.",
)
GATEWAY_LEASE_SECONDS = _environment.integer(
    "GATEWAY_LEASE_SECONDS", 60, minimum=1, meaning="How long an unrenewed hold lives before it is swept."
)
CIRCUIT_BREAKER_ENABLED = _environment.boolean(
    "CIRCUIT_BREAKER_ENABLED",
    True,
    meaning="Whether deployments that fail are left alone for a while; operators may close them off even so.",
)
CIRCUIT_BREAKER_FAILURE_THRESHOLD = _environment.integer(
    "CIRCUIT_BREAKER_FAILURE_THRESHOLD", 5, minimum=1, meaning="Failures in a row that open a breaker."
)
CIRCUIT_BREAKER_TIMEOUT = _environment.integer(
    "CIRCUIT_BREAKER_TIMEOUT",
    60,
    minimum=1,
    meaning="Seconds that a breaker stays open before one call may try again.",
)
STREAMING_ENABLED = _environment.boolean(
    "STREAMING_ENABLED", True, meaning="Whether answers are streamed to who asks for it; else 400."
)
LOG_LEVEL = _environment.choice(
    "LOG_LEVEL",
    ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"),
    meaning="The least severe log line written.",
)
DEBUG = _environment.boolean(
    "GATEWAY_DEBUG", meaning="Django's debug pages, for developing the gateway only: they show settings."
)

GATEWAY_SQLITE_SYNCHRONOUS = _environment.choice(
    "GATEWAY_SQLITE_SYNCHRONOUS",
    ("NORMAL", "FULL"),
    meaning="NORMAL keeps every entry when the process dies, FULL also when the machine does.",
)
DATABASES = {
    "default": database_settings(
        url=_environment.text(
            "DATABASE_URL", meaning="PostgreSQL or SQLite; empty is SQLite in GATEWAY_HOME."
        ),
        home=GATEWAY_HOME,
        synchronous=GATEWAY_SQLITE_SYNCHRONOUS,
    )
}
REDIS_URL = _environment.address(
    "REDIS_URL",
    _REDIS,
    meaning="Books and journal of several processes; empty keeps them in the database file.",
)
GATEWAY_BOOKS_TIMEOUT_MS = _environment.integer(
    "GATEWAY_BOOKS_TIMEOUT_MS", 1_000, minimum=10, meaning="How long Redis may take for an answer."
)
GATEWAY_REDIS_REPLICAS = _environment.integer(
    "GATEWAY_REDIS_REPLICAS", 0, minimum=0, meaning="Replicas of Redis that must have heard of a call."
)
GATEWAY_LEDGER_COMMIT = _environment.choice(
    "GATEWAY_LEDGER_COMMIT",
    ("JOURNAL", "DATABASE"),
    meaning="What an answer waits for: its entry in the journal on Redis, or also in the ledger.",
)
GATEWAY_BACKLOG_AT_MOST = _environment.integer(
    "GATEWAY_BACKLOG_AT_MOST",
    1_000_000,
    minimum=1_000,
    meaning="Entries that may wait in the journal before new calls are refused.",
)
REDIS_CACHE_URL = _environment.address(
    "REDIS_CACHE_URL", _REDIS, meaning="Kept answers (empty: where the books are) and Django's own cache."
)
GATEWAY_CACHE_URL = REDIS_CACHE_URL or REDIS_URL
GATEWAY_CACHE_BYTES = _environment.integer(
    "GATEWAY_CACHE_BYTES",
    256 * 1024 * 1024,
    minimum=1024,
    meaning="Bytes of kept answers: of all tenants in one process's memory, of each tenant on Redis.",
)
GATEWAY_CACHE_ANSWER_BYTES = _environment.integer(
    "GATEWAY_CACHE_ANSWER_BYTES", 1024 * 1024, minimum=1, meaning="The longest answer that is kept."
)
_CACHE_ENABLED = _environment.maybe(
    "CACHE_ENABLED", meaning="Keep no answers, or all; empty leaves it to policies."
)
GATEWAY_CACHE_ON = _CACHE_ENABLED is not False
CACHE_MAX_SIZE = _environment.integer(
    "CACHE_MAX_SIZE", 0, meaning="Answers that are kept at most, counted as the bytes are; 0 is any number."
)
_CACHE_DEFAULT_TTL = _environment.integer(
    "CACHE_DEFAULT_TTL", 3_600, meaning="The same as CACHE_TTL, which wins."
)
CACHE_TTL = _environment.integer(
    "CACHE_TTL", _CACHE_DEFAULT_TTL, meaning="Seconds that answers of a tenant without a policy are kept."
)
CACHE_CLEANUP_INTERVAL = _environment.integer(
    "CACHE_CLEANUP_INTERVAL",
    300,
    minimum=1,
    meaning="Seconds between looks for answers in memory whose time is over.",
)
GATEWAY_POLICY_DEFAULTS: dict[str, Any] = {
    "cache": "all" if _CACHE_ENABLED else "deterministic",
    "cache_seconds": CACHE_TTL,
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": REDIS_CACHE_URL}
    if REDIS_CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

ENVIRONMENT = _environment.variables

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "gateway_project.pages.PagesConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
    "channels",
    "gateway_project",
    "tenants",
    "providers",
    "usage",
]
MIDDLEWARE = [
    "api.manage.envelope.envelope",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": (
        "api.manage.access.KeyAuthentication",
        "api.manage.access.PersonAuthentication",
    ),
    "DEFAULT_PERMISSION_CLASSES": ("api.manage.access.RolePermission",),
    "DEFAULT_PARSER_CLASSES": ("api.manage.bodies.StrictJSONParser",),
    "DEFAULT_RENDERER_CLASSES": (
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ),
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.manage.bodies.Negotiation",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "api.manage.errors.answer_error",
    "NON_FIELD_ERRORS_KEY": "body",
}
ROOT_URLCONF = "gateway_project.urls"
ASGI_APPLICATION = "gateway_project.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = GATEWAY_MAX_BODY_BYTES
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django.security.DisallowedHost": {"handlers": [], "propagate": False}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
