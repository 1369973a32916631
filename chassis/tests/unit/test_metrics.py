"""Figures: what one costs, how many there can be, and where they are read."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from chassis import metrics
from chassis.settings import SettingMissing
from chassis.tests.helpers import ROOT, environment
from deploy.local.ports import free_block
from tests.inprocess import eventually

MICROSECONDS = 60.0  # of a call that takes a thousand; on a machine that others use, too


def timed(*labels):
    return metrics.Timed(f"test_{uuid.uuid4().hex}", "A test", *labels)


def series(name):
    return [one for family in REGISTRY.collect() for one in family.samples if one.name == name]


def test_counting_a_call_costs_microseconds():
    calls, times = timed("method", "outcome"), 20_000
    began = time.perf_counter()
    for _ in range(times):
        calls.done(0.01, "SignOff", "OK")
    each = (time.perf_counter() - began) / times * 1e6
    print(f"{each:.1f} us a call")
    assert each < MICROSECONDS


def test_a_label_takes_a_thousand_values_and_no_more():
    name = f"test_{uuid.uuid4().hex}"
    calls = metrics.Timed(name, "A test", "method", "outcome")
    for number in range(metrics.MOST + 500):
        calls.done(0.01, f"M{number}", "OK")
    found = series(f"{name}_total")
    assert len(found) == metrics.MOST + 1
    (rest,) = [one for one in found if one.labels == {"method": "other", "outcome": "other"}]
    assert rest.value == 500
    assert sum(one.value for one in found) == metrics.MOST + 500


def test_a_figure_that_cannot_be_had_keeps_no_other_away():
    def broken():
        raise OSError("no such place")

    one, other, unknown = (f"test_{uuid.uuid4().hex}" for _ in range(3))
    metrics.watch(one, "Breaks", broken)
    metrics.watch(unknown, "Nobody knows", lambda: None)
    metrics.watch(other, "By kind", lambda: {"a": 1.0, "b": 2.0}, "kind")
    assert series(one) == series(unknown) == []
    assert {each.labels["kind"]: each.value for each in series(other)} == {"a": 1.0, "b": 2.0}
    metrics.watch(other, "By kind", lambda: {"c": 3.0}, "kind")
    assert [each.labels["kind"] for each in series(other)] == ["c"]


def test_two_who_name_a_figure_at_the_same_moment_are_both_heard(monkeypatch):
    name, figure = f"test_{uuid.uuid4().hex}", metrics._Figure

    def slow(*given):
        time.sleep(0.05)
        return figure(*given)

    monkeypatch.setattr(metrics, "_Figure", slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda value: metrics.watch(name, "A test", lambda: value), range(4)))
    assert len(series(name)) == 1


def test_each_process_of_a_kind_takes_a_port_of_its_own(monkeypatch):
    with free_block() as base:
        monkeypatch.setenv("TONGBAN_METRICS", f"127.0.0.1:{base}-{base + 1}")
        metrics.ready(lambda: True)
        assert [metrics.serve(), metrics.serve(), metrics.serve()] == [base, base + 1, 0]
        wanted = f"http://127.0.0.1:{base + 1}/metrics?name[]=tongban_ready&name[]=process_open_fds"
        with urllib.request.urlopen(wanted, timeout=5) as answer:
            lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
        assert sorted(line.split()[0] for line in lines) == ["process_open_fds", "tongban_ready"]


def test_without_a_place_nothing_is_served_and_a_wrong_one_is_named(monkeypatch):
    monkeypatch.delenv("TONGBAN_METRICS", raising=False)
    assert metrics.serve() == 0
    monkeypatch.setenv("TONGBAN_METRICS", "everywhere")
    with pytest.raises(SettingMissing, match="TONGBAN_METRICS"):
        metrics.serve()


PROGRAM = """
import os
from chassis import metrics

def app():
    metrics.watch("test_worker", "The worker's id", os.getpid)
    metrics.serve()
    def answer(environ, start):
        start("200 OK", [])
        return [b"ok"]
    return answer
"""


def test_every_worker_of_a_gunicorn_has_figures_of_its_own(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    with free_block() as base:
        given = {
            "TONGBAN_HTTP": f"127.0.0.1:{base}", "TONGBAN_SERVICE": "test", "TONGBAN_WEB_WORKERS": "2",
            "TONGBAN_METRICS": f"127.0.0.1:{base + 1}-{base + 5}", "TONGBAN_VAR": str(tmp_path),
        }  # fmt: skip
        env = environment(**given)
        env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "deploy/local/gunicorn.conf.py"),
            "program:app()",
        ]
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log)
        try:
            workers = {_worker(base + 1), _worker(base + 2)}
        finally:
            process.terminate()
            process.wait(20)
    assert len(workers) == 2
    assert process.pid not in workers


def _worker(port):
    end = time.monotonic() + 30
    while True:
        try:
            address = f"http://127.0.0.1:{port}/metrics?name[]=test_worker"
            with urllib.request.urlopen(address, timeout=5) as answer:
                return int(float(answer.read().split()[-1]))
        except urllib.error.URLError:
            assert time.monotonic() < end, f"nobody serves figures at {port}"
            time.sleep(0.05)


@pytest.mark.parametrize("more", [0, 2])
def test_a_successor_moves_down_to_the_port_of_its_predecessor(monkeypatch, more):
    """Who reads the figures knows the first ports only, and a renewed process began on the next one."""
    monkeypatch.setattr(metrics, "MOVE", 0.02)
    with free_block() as base, socket.create_server(("127.0.0.1", base)) as predecessor:
        monkeypatch.setenv("TONGBAN_METRICS", f"127.0.0.1:{base}-{base + more}")
        metrics.ready(lambda: True)
        assert metrics.serve() == (base + 1 if more else 0)
        predecessor.close()

        def figures(port):
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/metrics?name[]=tongban_ready", timeout=5
                ).status
            return 0

        eventually(lambda: figures(base) == 200, 10)
        eventually(lambda: figures(base + 1) == 0, 10)
