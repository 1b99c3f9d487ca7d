"""The database refuses to change or delete a ledger entry: a mistake is corrected by another entry.

On SQLite a later migration that alters this table rebuilds it, and has to put the triggers on again.
"""

from django.db import migrations

PUT_ON = {
    "sqlite": (
        """
        CREATE TRIGGER billing_ledgerentry_no_update BEFORE UPDATE ON billing_ledgerentry
        BEGIN SELECT RAISE(ABORT, 'ledger entries are append-only'); END
        """,
        """
        CREATE TRIGGER billing_ledgerentry_no_delete BEFORE DELETE ON billing_ledgerentry
        BEGIN SELECT RAISE(ABORT, 'ledger entries are append-only'); END
        """,
    ),
    "postgresql": (
        """
        CREATE FUNCTION billing_ledgerentry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'ledger entries are append-only' USING ERRCODE = 'restrict_violation'; END $$
        """,
        """
        CREATE TRIGGER billing_ledgerentry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_ledgerentry
        FOR EACH STATEMENT EXECUTE FUNCTION billing_ledgerentry_refuse()
        """,
    ),
}
TAKE_OFF = {
    "sqlite": (
        "DROP TRIGGER billing_ledgerentry_no_update",
        "DROP TRIGGER billing_ledgerentry_no_delete",
    ),
    "postgresql": (
        "DROP TRIGGER billing_ledgerentry_append_only ON billing_ledgerentry",
        "DROP FUNCTION billing_ledgerentry_refuse()",
    ),
}


def put_on(apps, schema_editor):
    for statement in PUT_ON[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def take_off(apps, schema_editor):
    for statement in TAKE_OFF[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ("billing", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(put_on, take_off),
    ]
