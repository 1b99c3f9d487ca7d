"""The settings of the tests: the product's own, on a database of their own, with the network off."""

import os
import re
import tempfile
from pathlib import Path

import certifi

from tests.services import postgres_url

# Several test processes share the folder of the first.
os.environ.setdefault("ARKROUTE_DATA", tempfile.mkdtemp(prefix="arkroute-tests-"))
os.environ["DEBUG"] = "on"
os.environ["SECRET_KEY"] = "tests-only"
os.environ.setdefault("LOG_LEVEL", "WARNING")
for name in (
    *("OPENAI_API_KEY", "GEMINI_API_KEY", "MODELARK_API_KEY", "KLING_API_KEY", "KLING_ACCESS_KEY", "KLING_SECRET_KEY"),
    *("DASHSCOPE_API_KEY", "REDIS_URL", "MODEL_ALIASES", "SELFHOSTED_POOLS", "LOCAL_CHAT_GGUF", "LOCAL_AUDIO"),
):
    os.environ.pop(name, None)
if "PYTEST_XDIST_WORKER" not in os.environ:  # which inherits what the process that started it has set
    # Each client of httpx reads all authorities, 20 ms long, and there is none outside that a test may speak to.
    authority = Path(os.environ["ARKROUTE_DATA"], "one-authority.pem")
    authority.write_text(re.search(r"(?s)-----BEGIN.*?END CERTIFICATE-----\n", Path(certifi.where()).read_text())[0])
    os.environ["SSL_CERT_FILE"] = str(authority)
    os.environ.pop("DATABASE_URL", None)
    if os.environ.get("ARKROUTE_TEST_DATABASE") == "postgres":
        os.environ["DATABASE_URL"] = postgres_url()

from arkroute.settings import *

DEBUG = False
PUBLIC_URL = "http://testserver"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: the ledger's writer is a thread with a connection of its own.
    DATABASES["default"]["TEST"] = {"NAME": str(ARKROUTE_DATA / "test.sqlite3")}
