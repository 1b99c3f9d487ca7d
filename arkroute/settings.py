"""All settings of ArkRoute, read once from the environment.

`<ARKROUTE_DATA>/.env` is read first (`make run` writes it); a variable of the real environment wins over it.
Every variable is described in `.env.example`; `arkroute/checks.py` refuses what cannot work.
"""

import os
from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
# Everything that a run writes lies here: database, media, models.
ARKROUTE_DATA = Path(os.environ.get("ARKROUTE_DATA") or BASE_DIR / "var").resolve()
ARKROUTE_DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
env.read_env(str(ARKROUTE_DATA / ".env"), overwrite=False)


def json_of(name: str) -> Any:
    """The JSON of a variable; where it is none its text, which the checks of the gateway refuse with a hint."""
    try:
        return env.json(name, default={})
    except ValueError:
        return env.str(name)


# --- Process -------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
# Secrets of before: what they signed still holds, and addresses that were welcomed under them are still known.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"] if DEBUG else [])
PORT = env.int("PORT", default=8000)
# The address that clients use, without a slash at its end; links in answers and mails start with it.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}" if DEBUG else "").rstrip("/")

# --- Applications --------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # first, so that `manage.py runserver` serves ASGI
    "accounts.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "channels",
    "csp",
    "django_htmx",
    "lucide",
    "rest_framework",
    "adrf",
    "drf_spectacular",
    "accounts",
    "billing",
    "gateway",
    "api",
    "dashboard",
    "arkroute",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "arkroute.compression.StaticFiles",
    "api.middleware.ApiMiddleware",
    "arkroute.compression.CompressPages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.privacy.PrivatePages",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "arkroute.urls"
ASGI_APPLICATION = "arkroute.asgi.application"
APPEND_SLASH = False  # a POST is never redirected; paths take an optional slash themselves

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
                "dashboard.context.site",
            ],
        },
    },
]

# --- Database ------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{ARKROUTE_DATA / 'arkroute.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A commit survives a power cut (synchronous=FULL), writers queue instead of failing (IMMEDIATE, timeout), readers
    # never wait for them (WAL).
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    # A database that falls silent must not hold the ledger's writer, and with it all callers, for ever.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        connect_timeout=5, tcp_user_timeout=10_000, options="-c lock_timeout=10s -c statement_timeout=30s"
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis carries what several processes share: the limits of keys, the cache, and channel messages. Without
# it, one process does.
REDIS_URL = env.str("REDIS_URL", default="")
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- Accounts ------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# One address, which a new one replaces once it is verified. Changes to an account ask for the password, a code or a
# passkey again, and are told by mail.
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = env.str("ACCOUNT_EMAIL_VERIFICATION", default="optional" if DEBUG else "mandatory")
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
MFA_FORMS = {"add_webauthn": "accounts.forms.AddPasskeyForm"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "ArkRoute"
# Where every address in use is verified, one that is yet to be need not keep its owner from a second factor.
MFA_ALLOW_UNVERIFIED_EMAIL = DEBUG or ACCOUNT_EMAIL_VERIFICATION == "mandatory"
# Passkeys need https, but for a machine of one's own.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
USERSESSIONS_TRACK_ACTIVITY = True
# The admin is for staff with a second factor; on a machine of one's own it opens without.
STAFF_NEED_SECOND_FACTOR = not DEBUG
LOGIN_REDIRECT_URL = "/dashboard/"
# Credits that every user is granted once.
SIGNUP_CREDITS = 500

# --- Payments ------------------------------------------------------------------------------------------------------

# Without a key credits are not sold, and everything else works.
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
# Of the webhook's endpoint; several, separated by commas, while one is replaced by another.
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRET", default=[])
# Another address than Stripe's own, for tests.
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="").rstrip("/")
# Has Stripe work out sales tax and VAT; your account there needs its registrations.
STRIPE_AUTOMATIC_TAX = env.bool("STRIPE_AUTOMATIC_TAX", default=False)
# Lets buyers enter Stripe's promotion codes: discounts in money.
STRIPE_PROMOTION_CODES = env.bool("STRIPE_PROMOTION_CODES", default=False)
# For a user who brings another, and for that one, when the latter buys something. 0: none.
REFERRAL_CREDITS = env.int("REFERRAL_CREDITS", default=0)

# --- API limits (per key; each key may carry its own) ----------------------------------------------------------------

REQUESTS_PER_MINUTE = env.int("REQUESTS_PER_MINUTE", default=600)
CONCURRENT_REQUESTS = env.int("CONCURRENT_REQUESTS", default=50)
CONCURRENT_VIDEOS = env.int("CONCURRENT_VIDEOS", default=4)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.negotiation.JSONAlways",
    "EXCEPTION_HANDLER": "api.errors.drf_exception_handler",
    "DEFAULT_SCHEMA_CLASS": "api.openapi.generator.OperationSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ArkRoute",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "api.openapi.generator.Generator",
}

# --- Providers -----------------------------------------------------------------------------------------------------

# A key variable may hold several keys, separated by commas. A base URL is a whole prefix, so that it can be pointed
# at any server that speaks the same protocol.
PROVIDERS = {
    "openai": {
        "api_keys": env.list("OPENAI_API_KEY", default=[]),
        "base_url": env.str("OPENAI_BASE_URL", default="https://api.openai.com/v1").rstrip("/"),
    },
    "google": {
        "api_keys": env.list("GEMINI_API_KEY", default=[]),
        "base_url": env.str("GEMINI_BASE_URL", default="https://generativelanguage.googleapis.com/v1beta").rstrip("/"),
    },
    "bytedance": {
        "api_keys": env.list("MODELARK_API_KEY", default=[]),
        "base_url": env.str("MODELARK_BASE_URL", default="https://ark.ap-southeast.bytepluses.com/api/v3").rstrip("/"),
    },
    "kling": {
        # The older pair of keys is written as one, `access|secret`.
        "api_keys": env.list("KLING_API_KEY", default=[])
        + [
            f"{access}|{secret}"
            for access, secret in zip(
                env.list("KLING_ACCESS_KEY", default=[]), env.list("KLING_SECRET_KEY", default=[]), strict=False
            )
        ],
        "base_url": env.str("KLING_BASE_URL", default="https://api-singapore.klingai.com").rstrip("/"),
    },
    "alibaba": {
        "api_keys": env.list("DASHSCOPE_API_KEY", default=[]),
        "base_url": env.str("DASHSCOPE_BASE_URL", default="https://dashscope-intl.aliyuncs.com").rstrip("/"),
    },
}
# `host:port` that may be fetched from and sent to although private, also by plain http, separated by commas.
FETCH_ALLOWED_PRIVATE_HOSTS = env.list("FETCH_ALLOWED_PRIVATE_HOSTS", default=[])
# Overrides the catalogue's wait for a first byte.
PROVIDER_TIMEOUT_SECONDS = env.float("PROVIDER_TIMEOUT_SECONDS", default=None)
# Overrides the catalogue's deadlines of videos: past it a task has failed, and nothing is charged.
VIDEO_DEADLINE_SECONDS = env.float("VIDEO_DEADLINE_SECONDS", default=None)
# The engine: open-weight models on this machine (`manage.py run_engine`). Where nobody says where it is, it is looked
# for, and in production it counts only once it was found.
ENGINE_URL = env.str("ENGINE_URL", default=f"http://127.0.0.1:{PORT + 1}").rstrip("/")
ENGINE_IS_IMPLIED = not DEBUG and "ENGINE_URL" not in env
LOCAL_CHAT_GGUF = env.str("LOCAL_CHAT_GGUF", default="")
# Speech in the engine: packages and weights of some 500 MB.
LOCAL_AUDIO = env.bool("LOCAL_AUDIO", default=True)
# Servers of one's own, and the models that they serve: JSON, see gateway/catalog/selfhosted.py.
SELFHOSTED_POOLS = json_of("SELFHOSTED_POOLS")
# An answer of one's own servers opens a session, which keeps its client on the server that holds its state.
SESSIONS_ENABLED = env.bool("SESSIONS_ENABLED", default=True)
SESSION_IDLE_SECONDS = env.float("SESSION_IDLE_SECONDS", default=1800)
# A model whose provider has no credentials is answered by a stand-in that says so. Development only.
ARKROUTE_STAND_INS = env.bool("ARKROUTE_STAND_INS", default=DEBUG)
# Names of other catalogues that resolve to ours: JSON, alias -> model id. Added to the catalogue's own.
MODEL_ALIASES = json_of("MODEL_ALIASES")

# --- Media ---------------------------------------------------------------------------------------------------------

MEDIA_ROOT = ARKROUTE_DATA / "media"
MEDIA_LINK_SECONDS = env.int("MEDIA_LINK_SECONDS", default=24 * 3600)
MEDIA_FILE_DAYS = env.int("MEDIA_FILE_DAYS", default=30)
# How long what requests say is kept, of users who want it kept.
INPUT_DAYS = env.int("INPUT_DAYS", default=30)

# --- Static files, mail, security, language --------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Read where they lie at start-up, so that nothing has to be collected first.
WHITENOISE_USE_FINDERS = True

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
# A mail server that is silent must not hold those who wait for it. Seconds.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="ArkRoute <no-reply@localhost>")

# The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses or networks, separated by commas.
FORWARDED_ALLOW_IPS = env.str("FORWARDED_ALLOW_IPS", default="127.0.0.1")
if PUBLIC_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 3600)
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
# Nothing inline, nothing from elsewhere; pages show results of ours, and pictures that they hold themselves.
# Where Stripe's forms lead to by redirect: browsers hold those against the policy, too.
_PAYMENT_PAGES = (
    ["https://checkout.stripe.com", "https://billing.stripe.com", *([STRIPE_API_BASE] if STRIPE_API_BASE else [])]
    if STRIPE_SECRET_KEY
    else []
)
_WEBSOCKETS = PUBLIC_URL.replace("http", "ws", 1) or "wss:"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:", *([PUBLIC_URL] if PUBLIC_URL else [])],
        "media-src": ["'self'", "blob:", *([PUBLIC_URL] if PUBLIC_URL else [])],
        "connect-src": ["'self'", _WEBSOCKETS],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'", *_PAYMENT_PAGES],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains, and
    "security.W021",  # for the browsers' preload list: they bind a whole domain, and ours is one host of it
    "security.W008",  # redirects to https belong to the proxy: a POST to the API is never redirected
]

# The API checks its own limits (25 MB of JSON, `api.body`); Django's must not be lower.
DATA_UPLOAD_MAX_MEMORY_SIZE = 26 * 1024 * 1024

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# --- Logs ----------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"level": LOG_LEVEL},
        "django.request": {"level": "ERROR"},
        "uvicorn": {"level": "WARNING"},
        # Below it stand addresses and headers of what is fetched.
        "httpcore": {"level": "WARNING"},
        # Two lines for each message.
        "mcp": {"level": "WARNING"},
        "faster_whisper": {"level": "WARNING"},
    },
}
