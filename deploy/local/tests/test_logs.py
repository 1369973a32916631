import signal

import pytest

from deploy.edge.tests.alone import NGINX, alone
from deploy.local import logs


def never():
    raise AssertionError("nothing of the edge's was set aside")


def test_a_process_goes_on_writing_into_a_log_that_was_set_aside(tmp_path):
    log, small = tmp_path / "tasks-serve.log", tmp_path / "tasks-work.log"
    small.write_text("few words")
    with log.open("ab", buffering=0) as held:
        for generation in (b"first\n", b"second\n"):
            held.write(generation * 100)
            logs.set_aside(tmp_path, tmp_path / "edge", 500, never)
            held.write(b"next\n")
            assert logs.aside(log).read_bytes().endswith(generation * 100)
            assert log.read_bytes() == b"next\n"
    assert logs.aside(log).read_bytes() == b"next\n" + b"second\n" * 100
    assert small.read_text() == "few words"
    assert not logs.aside(small).exists()


def test_a_log_that_cannot_be_copied_stays_as_it_is(tmp_path, monkeypatch):
    log = tmp_path / "tasks-serve.log"
    log.write_bytes(b"word\n" * 200)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        logs.set_aside(tmp_path, tmp_path / "edge", 500, never)
    assert log.read_bytes() == b"word\n" * 200
    assert not logs.aside(log).exists()


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_the_edge_opens_its_files_anew(tmp_path):
    with alone(tmp_path, 9) as running:
        log = running.folder / "access.log"
        running.client.get("/auth/before")
        told = log.read_text()
        assert "/auth/before" in told

        def reopen():
            running.process.send_signal(signal.SIGUSR1)

        logs.set_aside(tmp_path / "logs", running.folder, len(told) - 1, reopen)
        assert logs.aside(log).read_text() == told
        while not log.exists():  # made by nginx on the signal; the test's own time ends it
            running.client.get("/auth/meanwhile")
        running.client.get("/auth/after")
        assert "/auth/after" in log.read_text()
