"""The spool: what was appended outlives the process, is shipped once there is somebody to take it, and is then taken out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from chassis.spool import DAMAGED, Spool, frame, frames
from chassis.tests.helpers import environment
from tests.inprocess import eventually


class Sink:
    """Takes records, unless it is away."""

    def __init__(self):
        self.taken = []
        self.away = False

    def __call__(self, records):
        if self.away:
            raise ConnectionError("away")
        self.taken += records


def test_what_is_shipped_is_taken_out(tmp_path):
    sink = Sink()
    spool = Spool(tmp_path, sink)
    wanted = [f"record {number}".encode() for number in range(1200)]
    for one in wanted:
        spool.append(one)
    assert spool.flushed(5)
    assert sink.taken == wanted
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_while_nobody_takes_them_records_wait_in_their_order(tmp_path):
    sink = Sink()
    sink.away = True
    spool = Spool(tmp_path, sink)
    wanted = []
    threads = [
        threading.Thread(target=lambda start=start: [spool.append(b"%d.%d" % (start, n)) for n in range(50)])
        for start in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.waiting()
    (path,) = tmp_path.iterdir()
    wanted = list(frames(path.read_bytes()))
    assert len(wanted) == 800
    sink.away = False
    assert spool.flushed(10)
    assert sink.taken == wanted
    spool.close()


def test_what_a_killed_process_left_is_shipped_by_the_next(tmp_path):
    """# check 79: kill -9 right after the append."""
    code = (
        "import os, sys; from chassis.spool import Spool; from pathlib import Path\n"
        "def away(_): raise ConnectionError\n"
        "spool = Spool(Path(sys.argv[1]), away)\n"
        "for n in range(500): spool.append(b'record %d' % n)\n"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment(), check=False)
    assert ended.returncode == -9
    sink = Sink()
    spool = Spool(tmp_path, sink)
    assert spool.flushed(5)
    eventually(lambda: len(sink.taken) == 500)
    assert sink.taken == [b"record %d" % n for n in range(500)]
    spool.close()
    assert list(tmp_path.iterdir()) == []
    print("check 79: 500 records appended before kill -9, 500 shipped by the next process")


def test_the_files_of_a_process_that_lives_are_left_alone(tmp_path):
    first, second = Sink(), Sink()
    first.away = True
    one = Spool(tmp_path, first)
    one.append(b"mine")
    other = Spool(tmp_path, second)
    other.append(b"other")
    assert other.flushed(5)
    assert second.taken == [b"other"]
    one.close()
    other.close()


def test_an_end_cut_short_loses_nothing_before_it(tmp_path):
    whole = frame(b"one") + frame(b"two")
    Path(tmp_path / "0dead.000001").write_bytes(whole + frame(b"three")[:-2])
    sink = Sink()
    spool = Spool(tmp_path, sink)
    spool.append(b"new")
    eventually(lambda: len(sink.taken) == 3)
    assert sorted(sink.taken) == [b"new", b"one", b"two"]
    spool.close()
    assert [path.name for path in tmp_path.iterdir()] == [f"0dead.000001{DAMAGED}"]


def test_a_disk_that_takes_half_leaves_no_half(tmp_path, monkeypatch):
    sink = Sink()
    spool = Spool(tmp_path, sink)
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[: len(data) // 2]))
    try:
        spool.append(b"half")
    except OSError:
        pass
    else:
        raise AssertionError("it was said to be kept")
    monkeypatch.undo()
    spool.append(b"whole")
    assert spool.flushed(5)
    assert sink.taken == [b"whole"]
    spool.close()
