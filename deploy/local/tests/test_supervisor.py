"""The supervisor with small shell scripts for processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local import rolling, state, supervisor
from deploy.local.child import BESIDE, WORKERS, Spec
from deploy.local.ports import free_block
from deploy.local.probes import appears, children, listening_ports, listens
from deploy.local.say import Refusal
from deploy.local.supervisor import Supervisor
from tests.inprocess import eventually


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervise(tmp_path, said, monkeypatch):
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.1)
    started = []

    def start(*specs):
        started.append(Supervisor(specs, tmp_path / "logs", said.append))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def _spec(folder, name, script, after=(), *, once=False):
    mark = folder / f"{name}.ready"
    return Spec(
        name=name,
        command=("sh", "-c", script.format(mark=mark)),
        env=dict(os.environ),
        cwd=folder,
        ready=appears(mark),
        after=after,
        once=once,
        before=lambda: mark.unlink(missing_ok=True),
    )


SERVE = "touch {mark}; exec sleep 60"


def _alive(pid):
    return bool(state._born(pid))


def test_starts_in_order_and_stops_in_reverse(tmp_path, supervise, said):
    ended = tmp_path / "ended"
    script = "trap 'echo {{}} >> {ended}; exit 0' TERM; touch {{mark}}; while :; do sleep 0.05; done"
    specs = [
        _spec(tmp_path, "engine", script.format(ended=ended).replace("{}", "engine", 1)),
        _spec(tmp_path, "setup", "exit 0", ("engine",), once=True),
        _spec(tmp_path, "app", script.format(ended=ended).replace("{}", "app", 1), ("setup",)),
    ]
    running = supervise(*specs)
    assert running.wait_ready(60)
    assert said == ["engine is ready", "setup is done", "app is ready"]
    pids = running.pids()
    assert set(pids) == {"engine", "app"}
    running.stop()
    assert ended.read_text().split() == ["app", "engine"]
    assert not any(_alive(pid) for pid in pids.values())


def test_what_dies_is_started_again_and_a_line_says_why(tmp_path, supervise, said):
    script = "if [ -e once ]; then touch {mark}; exec sleep 60; fi; touch once; echo 'ValueError: no'; exit 7"
    running = supervise(_spec(tmp_path, "app", script))
    assert running.wait_ready(60)
    assert said[0].startswith("app ended with status 7; starting it again in ")
    assert "(it said: ValueError: no)" in said[0]
    assert said[1] == "app is ready"


def test_what_cannot_be_started_is_tried_again(tmp_path, supervise, said):
    program = tmp_path / "program"
    running = supervise(replace(_spec(tmp_path, "app", ""), command=(str(program),)))
    eventually(lambda: said)
    assert said[0].startswith("app cannot be started ([Errno 2] No such file or directory")
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/app.ready; exec sleep 60\n")
    program.chmod(0o755)
    assert running.wait_ready(60)


def test_a_killed_process_comes_back_by_itself(tmp_path, supervise):
    running = supervise(_spec(tmp_path, "app", SERVE))
    assert running.wait_ready(60)
    before = running.pids()["app"]
    running.end("app", hold=False, kill=True)
    assert running.keepers["app"].ready.wait(60)
    assert running.pids()["app"] != before


def test_the_report_tells_of_every_process_what_it_does(tmp_path, supervise):
    script = "if [ -e once ]; then touch {mark}; exec sleep 60; fi; touch once; echo 'ValueError: no'; exit 7"
    running = supervise(
        _spec(tmp_path, "app", script),
        _spec(tmp_path, "setup", "exit 0", once=True),
        _spec(tmp_path, "never", "sleep 60"),
        _spec(tmp_path, "after", SERVE, ("never",)),
    )
    assert running.keepers["app"].ready.wait(60)
    assert running.keepers["setup"].ready.wait(60)
    told = running.report()
    assert {name: one["state"] for name, one in told.items() if name != "setup"} == {
        "app": "ready", "never": "starting", "after": "waiting",
    }  # fmt: skip
    app = told["app"]
    assert (app["restarts"], app["reason"], app["pid"]) == (
        1,
        "status 7: ValueError: no",
        running.pids()["app"],
    )
    assert datetime.now(UTC) - datetime.fromisoformat(app["since"]) < timedelta(seconds=20)
    assert told["after"]["pid"] is None
    running.end("app", hold=True, kill=True)
    assert running.report()["app"]["state"] == "held"
    state.write_report(tmp_path, running.report())
    assert json.loads((tmp_path / state.REPORT).read_text())["app"]["restarts"] == 1
    assert (tmp_path / state.REPORT).stat().st_mode & 0o077 == 0


def test_a_held_process_stays_down_until_restarted(tmp_path, supervise):
    running = supervise(_spec(tmp_path, "app", SERVE))
    assert running.wait_ready(60)
    running.end("app", hold=True, kill=True)
    time.sleep(0.5)
    assert running.pids() == {}
    assert running.not_ready() == ["app"]
    assert running.restart("app", 60)
    assert "app" in running.pids()


def test_children_of_a_killed_process_do_not_stay(tmp_path, supervise):
    running = supervise(_spec(tmp_path, "app", "sleep 60 & echo $! > child; touch {mark}; wait"))
    assert running.wait_ready(60)
    child = int((tmp_path / "child").read_text())
    running.end("app", hold=True, kill=True)
    eventually(lambda: not _alive(child), 5)


def test_who_ignores_sigterm_is_killed(tmp_path, supervise, monkeypatch):
    monkeypatch.setattr(supervisor, "_GRACE_SECONDS", 0.3)
    running = supervise(_spec(tmp_path, "app", "trap '' TERM; touch {mark}; while :; do sleep 0.1; done"))
    assert running.wait_ready(60)
    pid = running.pids()["app"]
    running.stop()
    assert not _alive(pid)


def test_a_second_run_in_the_same_folder_is_one_sentence(tmp_path):
    with state.locked(tmp_path):
        assert state.is_running(tmp_path)
        with pytest.raises(Refusal, match=r"^Tongban already runs in .*\.$"), state.locked(tmp_path):
            pass
    assert not state.is_running(tmp_path)


def test_leftovers_of_a_killed_run_are_ended_and_strangers_are_not(tmp_path, capsys):
    ours = subprocess.Popen(["sleep", "60"], start_new_session=True)
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        state.write(tmp_path, {}, {"ours": ours.pid, "stranger": stranger.pid})
        text = (tmp_path / "state.json").read_text()
        # The id is used again by somebody else, who was born at another time.
        (tmp_path / "state.json").write_text(
            text.replace(state._born(stranger.pid), "1", 2).replace(
                f'"pid": {ours.pid},\n      "born": "1"',
                f'"pid": {ours.pid},\n      "born": "{state._born(ours.pid)}"',
            )
        )
        state.end_leftovers(tmp_path)
        assert ours.wait(5) < 0
        assert stranger.poll() is None
        assert "Ending 1 processes" in capsys.readouterr().out
    finally:
        for process in (ours, stranger):
            process.kill()
            process.wait()


def test_what_runs_and_does_not_work_is_started_anew(tmp_path, supervise, monkeypatch):
    """# check 60: as a broker after a full disk."""
    monkeypatch.setattr(supervisor, "_WORKS_SECONDS", 0.02)
    works = tmp_path / "works"
    works.touch()
    running = supervise(replace(_spec(tmp_path, "engine", SERVE), works=appears(works)))
    assert running.wait_ready(60)
    first = running.pids()["engine"]
    works.unlink()
    eventually(lambda: running.pids().get("engine") not in (None, first))
    assert not _alive(first)
    works.touch()
    assert running.wait_ready(60)
    second = running.pids()["engine"]
    time.sleep(0.3)
    assert running.pids()["engine"] == second


def test_who_was_ready_is_not_kept_waiting_however_often_it_is_killed(tmp_path, supervise, said, monkeypatch):
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE_OF_READY", 0.2)
    running = supervise(_spec(tmp_path, "app", SERVE))
    assert running.wait_ready(60)
    keeper = running.keepers["app"]
    for _ in range(6):
        before = running.pids()["app"]
        os.kill(before, signal.SIGKILL)
        eventually(
            lambda before=before: running.pids().get("app", before) != before and keeper.ready.is_set()
        )
    pauses = [line for line in said if "starting it again" in line]
    assert len(pauses) == 6
    assert all(" in 0.1 s" in line or " in 0.2 s" in line for line in pauses), (
        "without the limit the sixth would be 3.2 s"
    )


def test_ending_by_hand_is_no_failure(tmp_path, supervise, said):
    running = supervise(_spec(tmp_path, "app", SERVE))
    assert running.wait_ready(60)
    for _ in range(5):
        assert running.restart("app", 60)
    assert not [line for line in said if "ended with" in line]


LISTENER = """
import pathlib, signal, socket, sys, time
at = socket.socket()
at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier test may linger on this port
at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
at.bind(("127.0.0.1", int(sys.argv[1])))
at.listen()
pathlib.Path(sys.argv[2]).touch()
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
while True:
    at.accept()[0].close()
"""


def test_a_successor_listens_before_its_predecessor_ends(tmp_path, supervise):  # check 63
    with free_block() as port:
        mark = tmp_path / "app.ready"
        listener = replace(
            _spec(tmp_path, "app", ""), command=(sys.executable, "-c", LISTENER, str(port), str(mark)),
            ready=listens(port), renewal=BESIDE, port=port,
        )  # fmt: skip
        running = supervise(listener)
        assert running.wait_ready(60)
        before, refused, stop = running.pids()["app"], [], threading.Event()

        def knock():
            while not stop.is_set():
                # In the moment in which a predecessor closes, the kernel may turn one away: as our clients do, it asks once more.
                if not listens(port)() and not listens(port)():
                    refused.append(time.monotonic())

        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            assert rolling.renew_all(running, ["app"], 20) == []
        finally:
            stop.set()
            knocking.join()
        after = running.pids()["app"]
        assert after != before
        assert not _alive(before)
        assert listening_ports(after) == {port}
        assert not refused


def test_a_successor_that_does_not_start_leaves_its_predecessor(tmp_path, supervise):
    script = "if [ -e once ]; then exit 3; fi; touch once {mark}; exec sleep 60"
    running = supervise(replace(_spec(tmp_path, "app", script), renewal=BESIDE, port=1))
    assert running.wait_ready(60)
    before = running.pids()
    assert rolling.renew_all(running, ["app"], 5) == ["app"]
    assert running.pids() == before


def test_a_leader_adds_a_worker_before_it_ends_the_oldest(tmp_path, supervise):  # check 63
    script = (
        "trap 'sleep 60 & new=$!' TTIN; trap 'kill $old; old=$new' TTOU; sleep 60 & old=$!; touch {mark};"
        " while :; do wait $old; done"
    )
    asked = []
    spec = replace(
        _spec(tmp_path, "app", script),
        renewal=WORKERS,
        worker_ready=lambda pid: asked.append(pid) or len(asked) > 2,
    )
    running = supervise(spec)
    assert running.wait_ready(60)
    leader = running.pids()["app"]
    (before,) = children(leader)
    assert rolling.renew_all(running, ["app"], 10) == []
    assert running.pids()["app"] == leader
    (after,) = children(leader)
    assert set(asked) == {after}
    assert after != before
