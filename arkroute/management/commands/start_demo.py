"""What `make run` ends in: a migrated database, a demo user with a fresh key, and all processes of the Procfile."""

import os
import secrets
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections, transaction
from honcho.environ import parse_procfile
from honcho.manager import Manager

from accounts.keys import issue_key, revoke_key
from accounts.models import ApiKey, User
from arkroute import parent
from arkroute.engine.weights import CHAT, present
from arkroute.management.commands.issue_key import create_user
from arkroute.server import listen
from billing.amounts import credits_text
from billing.models import CreditAccount

DEMO_EMAIL = "demo@example.com"
DEMO_KEY_NAME = "demo"


class Command(BaseCommand):
    help = "Starts everything on this machine with a demo user and a fresh demo key (`make run`). For development."

    def handle(self, *args: Any, **options: Any) -> None:
        address = f"http://127.0.0.1:{settings.PORT}"
        refuse_taken_port(settings.PORT, "Choose another: make run PORT=9000")
        needed = {"database", "engine"}
        commands = parse_procfile((Path(settings.BASE_DIR) / "Procfile").read_text()).processes
        models = present()
        model = "gpt-5.5" if CHAT in models else "sandbox-chat"
        if engine_is_served():
            self.stdout.write(f"→ engine     one answers at {settings.ENGINE_URL} already")
            del commands["engine"]
        elif not models:
            self.stdout.write("→ engine     left out: no models (`make setup` downloads them, or set LOCAL_CHAT_GGUF)")
            del commands["engine"]
            needed.remove("engine")
        else:
            self.stdout.write(f"→ engine     {', '.join(weights.purpose for weights in models)}")
            refuse_taken_port(urlsplit(settings.ENGINE_URL).port, "The engine wants it: choose another with ENGINE_URL")
        self.stdout.write("→ database   migrations")
        call_command("migrate", verbosity=0)
        self.stdout.write("→ demo user  with a fresh key")
        user, password = demo_user()
        key = fresh_demo_key(user)
        credits = credits_text(CreditAccount.objects.get(owner=user).available)
        connections.close_all()

        welcome = welcome_text(address, key, password, credits, model=model)
        # Both threads sleep first, so that they do nothing while honcho forks.
        parent.end_with_parent()
        threading.Thread(target=welcome_when_ready, args=(address, needed, welcome), daemon=True).start()
        sys.exit(run_together(commands))


def demo_user() -> tuple[User, str]:
    """The demo user, and its password where it was made just now: only the hash is kept."""
    user = User.objects.filter(email=DEMO_EMAIL).first()
    if user is not None:
        return user, ""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = create_user(DEMO_EMAIL, settings.SIGNUP_CREDITS)
        user.set_password(password)
        user.save()
    return user, password


def fresh_demo_key(user: User) -> str:
    for key in ApiKey.objects.filter(user=user, name=DEMO_KEY_NAME, revoked_at=None):
        revoke_key(key)
    return issue_key(user, DEMO_KEY_NAME).secret


def refuse_taken_port(port: int | None, advice: str) -> None:
    try:
        listen("127.0.0.1", port or 80).close()
    except OSError as error:
        raise CommandError(f"Port {port}: {error.strerror}. {advice}") from error


def engine_is_served() -> bool:
    try:
        with urllib.request.urlopen(f"{settings.ENGINE_URL}/health", timeout=2):  # noqa: S310  our own setting
            return True
    except OSError:
        return False


def run_together(commands: dict[str, str]) -> int:
    """Runs the commands until one ends, or a signal ends all. Returns the exit status: 0 after a signal."""
    environment = os.environ | {
        # honcho would count PORT up by a hundred for each process; here it is the same for all.
        "PORT": str(settings.PORT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        parent.VARIABLE: str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
    }
    manager = Manager()
    for name, command in commands.items():
        manager.add_process(name, command, env=environment, cwd=str(settings.BASE_DIR))
    manager.loop()
    return 0 if manager.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM) else int(manager.returncode)


def welcome_when_ready(address: str, needed: set[str], welcome: str) -> None:
    """Prints the welcome once all that was started answers: people paste what they see last."""
    while True:
        time.sleep(0.3)
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:  # noqa: S310  our own address
                report = msgspec.json.decode(answer.read())
        except OSError:
            continue
        if all(report.get(name) == "ok" for name in needed):
            print(welcome, flush=True)
            return


def welcome_text(address: str, key: str, password: str, credits: str, *, model: str) -> str:
    another = f".venv/bin/python manage.py changepassword {DEMO_EMAIL}"
    secret = password or f"as printed at the first start; for another: {another}"
    return f"""
  ArkRoute runs at {address}, with a demo user who has {credits} credits to spend.

    API key     {key}   (a fresh one at each start)
    Dashboard   {address}/dashboard/
                {DEMO_EMAIL}, password: {secret}

  Try it:

curl {address}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}], "max_tokens": 100}}'

  Ctrl-C ends everything.
"""
