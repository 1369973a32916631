"""The engines as `make run` starts them: what is acknowledged survives kill -9, Ctrl-C ends everything."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request

import nats
import pymongo
import pytest

from deploy.local.cache import ROOT
from deploy.local.ports import BLOCK, free_block
from deploy.local.stack import Stack
from deploy.local.state import _born
from tests.inprocess import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def _records(env):
    client = pymongo.MongoClient(env["TONGBAN_MONGO_URI"], w="majority", journal=True)
    return client.trial.records


def _compare_and_set(records, key, revision, text):
    change = {"$set": {"revision": revision + 1, "text": text}}
    return records.update_one({"_id": key, "revision": revision}, change).modified_count


def _on_jetstream(env, work):
    async def connected():
        client = await nats.connect(env["TONGBAN_NATS_URL"])
        try:
            return await work(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(connected())


async def _publish(stream):
    await stream.add_stream(name="trial", subjects=["trial.>"])
    acknowledged = await stream.publish("trial.one", "同办".encode(), headers={"Nats-Msg-Id": "1"})
    again = await stream.publish("trial.one", "同办".encode(), headers={"Nats-Msg-Id": "1"})
    return acknowledged.seq, again.duplicate


async def _read(stream):
    return (await stream.get_msg("trial", 1)).data.decode()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("engines"), engines=("mongo", "nats"), applications=False) as running:
        yield running


def test_an_acknowledged_write_survives_kill_9(stack):  # check 51, short form
    records = _records(stack.env)
    records.create_index([("_id", 1), ("revision", 1)], unique=True)
    records.insert_one({"_id": "大府办发〔2026〕12号", "revision": 0, "text": "起草"})
    assert _compare_and_set(records, "大府办发〔2026〕12号", 0, "签发") == 1
    stack.kill("mongo")
    stack.restart("mongo")
    assert records.find_one({"_id": "大府办发〔2026〕12号"}) == {
        "_id": "大府办发〔2026〕12号",
        "revision": 1,
        "text": "签发",
    }
    assert _compare_and_set(records, "大府办发〔2026〕12号", 0, "two writers, one wins") == 0
    with pytest.raises(pymongo.errors.DuplicateKeyError):
        records.insert_one({"_id": "大府办发〔2026〕12号", "revision": 0})


def test_an_acknowledged_event_survives_kill_9_and_is_not_doubled(stack):  # check 41, short form
    assert _on_jetstream(stack.env, _publish) == (1, True)
    stack.kill("nats")
    stack.restart("nats")
    assert _on_jetstream(stack.env, _read) == "同办"


def test_the_broker_wants_its_password(stack):
    address = stack.env["TONGBAN_NATS_URL"].rpartition("@")[2]

    async def nobody():
        await nats.connect(f"nats://{address}", allow_reconnect=False, connect_timeout=2)

    with pytest.raises(nats.errors.Error):
        asyncio.run(nobody())


def _run(var, base, *flags):
    ports = ["--base-port", str(base), "--edge-port", str(base + BLOCK - 1)]
    command = [sys.executable, "-m", "deploy.local.run", "--engines-only", "--var", str(var), *ports, *flags]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _state(var, until, seconds=120):
    def there():
        if not (var / "state.json").exists():
            return None
        state = json.loads((var / "state.json").read_text())
        return state if until(state) else None

    return eventually(there, seconds, pause=0.2)


@pytest.mark.slow
def test_the_run_heals_a_killed_engine_refuses_a_second_run_and_ends_on_ctrl_c(tmp_path):
    with free_block() as base:
        running = _run(tmp_path, base)
        try:
            state = _state(tmp_path, lambda now: now["ready"])
            health = f"http://127.0.0.1:{state['ports']['keycloak']}/id/realms/master"
            with urllib.request.urlopen(health, timeout=10) as answer:
                issuer = json.load(answer)["public_key"]
            assert issuer

            second = _run(tmp_path, base)
            assert second.communicate(timeout=20)[0].splitlines()[-1].startswith("Tongban already runs in")
            assert second.returncode == 1

            records = _records(state["env"])
            records.insert_one({"_id": "kept"})
            killed = state["processes"]["mongo"]["pid"]
            os.kill(killed, signal.SIGKILL)
            state = _state(
                tmp_path,
                lambda now: now["ready"] and now["processes"].get("mongo", {"pid": killed})["pid"] != killed,
            )
            assert records.find_one({"_id": "kept"})
        finally:
            running.send_signal(signal.SIGINT)
            said = running.communicate(timeout=60)[0]
        assert running.returncode == 0
        assert "mongo ended with status -9; starting it again" in said
        assert "everything is stopped" in said
        assert not any(_born(process["pid"]) for process in state["processes"].values())
