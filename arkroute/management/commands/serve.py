import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from arkroute.parent import end_with_parent
from arkroute.server import listen, serve
from arkroute.workers import run_workers


class Command(BaseCommand):
    help = "Serves the gateway on a migrated database. Prints one line when it is ready."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="like the variable PORT (default: 8000)")
        parser.add_argument("--workers", type=int, default=1, help="processes; more than one need REDIS_URL")
        parser.add_argument("--no-jobs", action="store_true", help="leave the jobs to other processes")

    def handle(self, *args: Any, host: str, port: int, workers: int, no_jobs: bool, **options: Any) -> None:
        if workers < 1:
            raise CommandError("--workers takes a number from 1.")
        if workers > 1 and not settings.REDIS_URL:
            raise CommandError("--workers above 1 needs REDIS_URL: the limits of keys are shared through Redis.")
        refuse_unmigrated_database()
        try:
            listener = listen(host, port)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}. PORT chooses another.") from error
        end_with_parent()

        def announce() -> None:
            name = f"[{host}]" if ":" in host else host
            print(f"ArkRoute is ready on http://{name}:{listener.getsockname()[1]}", flush=True)

        if workers == 1:
            status = serve(listener, jobs=not no_jobs, on_ready=announce)
        else:
            status = run_workers(
                workers, lambda on_ready: serve(listener, jobs=not no_jobs, on_ready=on_ready), on_ready=announce
            )
        sys.exit(status)


def refuse_unmigrated_database() -> None:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise CommandError(f"The database cannot be reached: {error}") from error
    finally:
        connections.close_all()  # a worker must not inherit a connection
    if missing:
        raise CommandError(f"The database lacks {len(missing)} migrations. Run `python manage.py migrate` first.")
