"""The admin's page of replicas: who is how, and drains by a click."""

import asyncio

import pytest
from django.test import Client
from django.urls import reverse

from gateway.models import PoolReplica
from gateway.pools import Health, find_pool, reports

LIST = reverse("admin:gateway_poolreplica_changelist")
URL = "http://user:hunter2@gpu-1:8000/v1"


@pytest.fixture
def replica(transactional_db, settings, monkeypatch) -> PoolReplica:
    """One that a process reports to be up, with 3 requests and 17 sessions."""
    monkeypatch.setattr(reports, "_written", reports._Written())
    settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED = "http://127.0.0.1:9", True
    settings.SELFHOSTED_POOLS = {"gpus": {"replicas": [URL], "models": {"llama": {}}}}
    (known,) = find_pool("gpus").replicas
    known.note_health(Health.UP)
    known.in_flight, known.sessions, known.models = 3, 17, frozenset({"llama"})
    asyncio.run(reports.report())
    return PoolReplica.objects.get()


def act(client: Client, action: str, replica: PoolReplica) -> None:
    client.post(LIST, {"action": action, "_selected_action": [replica.pk]})
    replica.refresh_from_db()


def test_it_shows_health_load_and_sessions_and_no_password(replica, sign_in) -> None:
    client = sign_in("view_poolreplica", "view_replicareport")
    page = client.get(LIST).content.decode()
    for shown in ("http://gpu-1:8000/v1", "gpus", ">up<", "</meter> 3", ">17<", ">llama<", "0 s ago"):
        assert shown in page
    one = client.get(reverse("admin:gateway_poolreplica_change", args=[replica.pk])).content.decode()
    assert replica.reports.get().process in one
    assert "hunter2" not in page + one


def test_who_may_change_replicas_drains_one_and_takes_it_back(replica, sign_in) -> None:
    client = sign_in("view_poolreplica", "change_poolreplica")
    act(client, "drain", replica)
    assert replica.draining
    assert "up, draining" in client.get(LIST).content.decode()
    act(client, "take_back", replica)
    assert not replica.draining


def test_who_may_only_look_drains_nothing(replica, sign_in) -> None:
    client = sign_in("view_poolreplica")
    assert "Drain" not in client.get(LIST).content.decode()
    act(client, "drain", replica)
    assert not replica.draining


def test_nobody_edits_adds_or_deletes_one(replica, sign_in) -> None:
    client = sign_in("view_poolreplica", "change_poolreplica", "add_poolreplica", "delete_poolreplica")
    change, delete, add = (
        reverse("admin:gateway_poolreplica_change", args=[replica.pk]),
        reverse("admin:gateway_poolreplica_delete", args=[replica.pk]),
        reverse("admin:gateway_poolreplica_add"),
    )
    assert client.post(change, {"url": "http://evil/v1"}).status_code == 403
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert client.get(add).status_code == 403
