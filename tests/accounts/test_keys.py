"""How keys look, and what the database and the processes know of them."""

import asyncio
import hashlib
import os
import string
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from zlib import crc32

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from django.utils import timezone

from accounts import database, known_keys
from accounts.database import THREADS, close_database_threads, run_in_database_thread, submit_to_database_thread
from accounts.keys import InvalidApiKey, MissingApiKey, find_key, issue_key, looks_valid, revoke_key
from accounts.known_keys import KnownKeys
from accounts.models import ApiKey, User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return User.objects.create_user("Alice@Example.com")


@pytest.fixture
def key(alice):
    return issue_key(alice, "laptop")


@pytest.fixture
def other_process():
    """The cache of another process that serves the same database."""
    return KnownKeys()


async def on_database(function, *args):
    return await run_in_database_thread(function, *args)


def on_each_database_thread(act):
    everyone_is_here = threading.Barrier(THREADS)

    def call():
        everyone_is_here.wait()
        act()

    for future in [submit_to_database_thread(call) for _ in range(THREADS)]:
        future.result()


@contextmanager
def queries_of_database_threads():
    """The SQL that the database threads run meanwhile."""
    seen = []

    def note(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    on_each_database_thread(lambda: connections["default"].execute_wrappers.append(note))
    try:
        yield seen
    finally:
        on_each_database_thread(lambda: connections["default"].execute_wrappers.remove(note))


def selects(queries):
    return [sql for sql in queries if sql.startswith("SELECT")]


def pretend_the_last_poll_was(seconds, known):
    known._polled_at -= seconds
    known._poll_tried_at -= seconds


def test_a_key_is_ark_and_forty_base62_characters_with_a_checksum_at_the_end(key):
    secret = key.secret
    assert secret.startswith("ark-")
    assert len(secret) == 44
    assert secret[4:].isalnum()
    assert secret.isascii()
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    checksum = 0
    for character in secret[-6:]:
        checksum = checksum * 62 + digits.index(character)
    assert checksum == crc32(secret[4:38].encode())


def test_no_two_keys_are_alike(alice):
    assert len({issue_key(alice).secret for _ in range(20)}) == 20


def test_the_database_holds_the_digest_and_nothing_to_guess_the_secret_from(key):
    secret, row = key
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert (row.prefix, row.last_four) == (secret[:8], secret[-4:])
    stored = ApiKey.objects.values_list().get()
    assert not any(secret[8:-4] in str(value) for value in stored)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:10] + ("a" if s[10] != "a" else "b") + s[11:],
        lambda s: s[:12] + s[13] + s[12] + s[14:] if s[12] != s[13] else s[:-1],
        lambda s: s[:-1],
        lambda s: s + "0",
        lambda s: s.upper() if s != s.upper() else s.lower(),
        lambda s: s.removeprefix("ark-"),
        lambda s: "sk-" + s[4:],
        lambda s: s[:20] + "é" + s[21:],
        lambda s: s[:20] + "\udcff" + s[21:],
        lambda s: s[:20] + " " + s[21:],
        lambda s: "ark-",
        lambda s: "Bearer",
    ],
)
async def test_a_mistyped_key_is_refused_without_a_query(key, spoil):
    with queries_of_database_threads() as queries:
        assert not looks_valid(spoil(key.secret))
        with pytest.raises(InvalidApiKey, match="mistyped or cut off"):
            await find_key(spoil(key.secret))
    assert queries == []


async def test_no_key_at_all_says_how_to_send_one():
    with pytest.raises(MissingApiKey, match="Authorization: Bearer"):
        await find_key("")


async def test_a_key_names_its_owner_and_the_limits_of_the_site(key, settings):
    caller = await find_key(key.secret)
    assert (caller.key_id, caller.user_id) == (key.api_key.id, key.api_key.user_id)
    assert (caller.email, caller.key_name, caller.key_prefix) == ("alice@example.com", "laptop", key.secret[:8])
    assert caller.requests_per_minute == settings.REQUESTS_PER_MINUTE
    assert caller.concurrent_requests == settings.CONCURRENT_REQUESTS
    assert caller.concurrent_videos == settings.CONCURRENT_VIDEOS
    assert caller.webhook_url == ""


async def test_a_key_may_carry_limits_of_its_own(alice):
    limits = {"requests_per_minute": 5, "concurrent_requests": 2, "concurrent_videos": 1}
    key = await on_database(lambda: issue_key(alice, **limits))
    caller = await find_key(key.secret)
    assert (caller.requests_per_minute, caller.concurrent_requests, caller.concurrent_videos) == (5, 2, 1)


async def test_a_key_may_carry_the_address_of_its_webhooks(alice):
    key = await on_database(lambda: issue_key(alice, webhook_url="https://hooks.example/ark"))
    assert (await find_key(key.secret)).webhook_url == "https://hooks.example/ark"


@pytest.mark.parametrize("limit", ["requests_per_minute", "concurrent_requests", "concurrent_videos"])
def test_a_limit_of_nothing_is_refused_by_the_database(alice, limit):
    with pytest.raises(IntegrityError), transaction.atomic():
        issue_key(alice, **{limit: 0})


async def test_a_known_key_costs_no_query(key, other_process):
    await other_process.find(key.api_key.digest)
    pretend_the_last_poll_was(-60, other_process)
    with queries_of_database_threads() as queries:
        for _ in range(50):
            await other_process.find(key.api_key.digest)
    assert selects(queries) == []


async def test_a_crowd_with_a_new_key_costs_one_query(key, other_process):
    with queries_of_database_threads() as queries:
        callers = await asyncio.gather(*(other_process.find(key.api_key.digest) for _ in range(50)))
    assert len(set(map(id, callers))) == 1
    assert len(selects(queries)) == 1


async def test_an_unknown_key_is_refused_and_asked_for_once(key, other_process):
    await on_database(key.api_key.delete)
    pretend_the_last_poll_was(-60, other_process)
    with queries_of_database_threads() as queries:
        for _ in range(5):
            with pytest.raises(InvalidApiKey, match="unknown"):
                await other_process.find(key.api_key.digest)
    assert len(queries) == 1


async def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(key):
    await find_key(key.secret)
    await on_database(revoke_key, key.api_key)
    with pytest.raises(InvalidApiKey, match="was revoked on"):
        await find_key(key.secret)


async def test_a_revoked_key_is_refused_within_a_second_in_every_other_process(key, other_process):
    digest = key.api_key.digest
    await other_process.find(digest)
    await on_database(revoke_key, key.api_key)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline - 0.05:
        try:
            await other_process.find(digest)
        except InvalidApiKey:
            break
        await on_database(time.sleep, 0.02)
    with pytest.raises(InvalidApiKey, match="revoked"):
        await other_process.find(digest)


async def test_an_idle_process_learns_of_a_revocation_before_it_serves_the_key_again(key, other_process):
    await other_process.find(key.api_key.digest)
    await on_database(revoke_key, key.api_key)
    pretend_the_last_poll_was(20, other_process)
    with pytest.raises(InvalidApiKey, match="revoked"):
        await other_process.find(key.api_key.digest)


async def test_a_clock_that_was_ahead_hides_no_revocation(key, other_process):
    await other_process.find(key.api_key.digest)
    other_process._polled_until += timedelta(hours=1)
    await on_database(revoke_key, key.api_key)
    pretend_the_last_poll_was(1, other_process)
    with pytest.raises(InvalidApiKey, match="revoked"):
        await other_process.find(key.api_key.digest)


async def test_a_crowd_shares_one_poll(key, other_process):
    await other_process.find(key.api_key.digest)
    long_ago = timezone.now() - timedelta(hours=1)
    await on_database(lambda: ApiKey.objects.update(updated_at=long_ago))
    pretend_the_last_poll_was(1, other_process)
    with queries_of_database_threads() as queries:
        await asyncio.gather(*(other_process.find(key.api_key.digest) for _ in range(50)))
    assert len(selects(queries)) == 1


async def test_revoking_twice_keeps_the_first_date(key):
    await on_database(revoke_key, key.api_key)
    first = key.api_key.revoked_at
    stale = await on_database(lambda: ApiKey.objects.get())
    stale.revoked_at = None
    await on_database(revoke_key, stale)
    assert stale.revoked_at == first


async def test_a_key_is_refused_from_the_moment_it_expires(alice):
    key = await on_database(lambda: issue_key(alice, expires_at=timezone.now() + timedelta(seconds=0.3)))
    await find_key(key.secret)
    await on_database(time.sleep, 0.31)
    with pytest.raises(InvalidApiKey, match="expired on"):
        await find_key(key.secret)


async def test_an_expired_key_is_refused_from_the_start(alice):
    key = await on_database(lambda: issue_key(alice, expires_at=timezone.now() - timedelta(days=1)))
    with pytest.raises(InvalidApiKey, match="expired on"):
        await find_key(key.secret)


async def test_the_key_of_a_closed_account_is_refused_once_it_is_looked_up_again(alice, key, monkeypatch):
    monkeypatch.setattr(known_keys, "RECHECK_SECONDS", 0.05)
    await find_key(key.secret)
    await on_database(lambda: User.objects.update(is_active=False))
    await on_database(time.sleep, 0.06)
    with pytest.raises(InvalidApiKey, match="account of this API key is closed"):
        await find_key(key.secret)


async def test_the_cache_is_bounded(alice, other_process, monkeypatch):
    monkeypatch.setattr(known_keys, "SIZE", 3)
    keys = await on_database(lambda: [issue_key(alice) for _ in range(6)])
    for key in keys:
        await other_process.find(key.api_key.digest)
    assert len(other_process._keys) == 3


async def test_the_last_use_is_written_once_a_minute_and_is_no_change_of_the_key(key):
    changed = key.api_key.updated_at
    for _ in range(3):
        await find_key(key.secret)
    with queries_of_database_threads() as queries:
        deadline = time.monotonic() + 5
        while not (row := await on_database(ApiKey.objects.get)).last_used_at:
            assert time.monotonic() < deadline
        await find_key(key.secret)
    assert timezone.now() - row.last_used_at < timedelta(seconds=10)
    assert row.updated_at == changed
    assert len([sql for sql in queries if sql.startswith("UPDATE")]) <= 1


@contextmanager
def broken_database(monkeypatch):
    def refuse(*args, **kwargs):
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.sql.compiler.SQLCompiler.execute_sql", refuse)
        yield


async def test_a_broken_database_is_never_a_bad_key(key, monkeypatch):
    with broken_database(monkeypatch), pytest.raises(OperationalError):
        await find_key(key.secret)
    assert (await find_key(key.secret)).email == "alice@example.com"


async def test_known_keys_outlive_a_broken_database_for_some_seconds_only(key, other_process, monkeypatch):
    digest = key.api_key.digest
    await other_process.find(digest)
    with broken_database(monkeypatch):
        pretend_the_last_poll_was(3, other_process)
        assert (await other_process.find(digest)).email == "alice@example.com"
        other_process._polled_at -= 3
        with pytest.raises(OperationalError):
            await other_process.find(digest)
    other_process._poll_tried_at -= 1
    assert (await other_process.find(digest)).email == "alice@example.com"


def test_keys_are_found_from_several_event_loops(key):
    assert {asyncio.run(find_key(key.secret)).email for _ in range(3)} == {"alice@example.com"}


def test_the_address_of_a_user_is_lower_case_however_it_was_written(alice):
    assert alice.email == "alice@example.com"
    assert User.objects.get_by_natural_key("ALICE@example.com") == alice
    with pytest.raises(IntegrityError), transaction.atomic():
        User(email="aLiCe@example.com").save()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.update(email="Alice@example.com")


def the_connection():
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    return connections["default"].connection


def test_a_database_thread_keeps_its_connection_until_it_is_too_old(monkeypatch):
    monkeypatch.setattr(database, "_pool", ThreadPoolExecutor(1))
    first = submit_to_database_thread(the_connection).result()
    assert submit_to_database_thread(the_connection).result() is first
    submit_to_database_thread(lambda: setattr(connections["default"], "close_at", 0)).result()
    assert submit_to_database_thread(the_connection).result() is not first
    monkeypatch.setattr(database, "THREADS", 1)
    close_database_threads()


def test_closing_the_database_threads_closes_their_connections_and_others_follow():
    first = submit_to_database_thread(the_connection).result()
    close_database_threads()
    with pytest.raises(Exception, match="closed"):  # each driver has its own
        first.execute("SELECT 1")
    assert submit_to_database_thread(the_connection).result() is not first


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_database_threads_of_its_own():
    assert submit_to_database_thread(int).result() == 0
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = submit_to_database_thread(lambda: 7).result(timeout=10)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
