"""Makes the plain version's database and prints a token: `python -m bench.plain.prepare`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.plain.settings")


def main() -> None:
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from bench.plain.models import Account

    call_command("migrate", run_syncdb=True, verbosity=0)
    user = User.objects.create_user("bench", "bench@example.com")
    Account.objects.create(user=user, balance=10**15)
    print(Token.objects.create(user=user).key)


if __name__ == "__main__":
    main()
