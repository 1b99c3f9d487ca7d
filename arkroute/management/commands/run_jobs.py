import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arkroute.jobs import do_jobs
from arkroute.management.commands.serve import refuse_unmigrated_database
from arkroute.parent import end_with_parent


class Command(BaseCommand):
    help = "Does the jobs beside `serve --no-jobs`: videos, webhooks, old files. Prints one line when it is ready."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError(
                "run_jobs needs REDIS_URL: the progress of videos reaches their followers through Redis."
            )
        refuse_unmigrated_database()
        end_with_parent()
        sys.exit(do_jobs(on_ready=lambda: print("ArkRoute is ready to do the jobs", flush=True)))
