"""The recovery key, frozen processes, copies, files, and places that are refused."""

import os
import stat
import subprocess
import sys
import time

import pytest

from deploy.backup import folders, freeze, key
from deploy.backup.restoring import restore
from deploy.backup.waiting import until
from deploy.local.say import Refusal


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path, capsys):
    where = tmp_path / "keys" / "backup.key"
    made = key.ensure(where, tmp_path / "var")
    assert len(made) == 52
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    said = capsys.readouterr().out
    assert str(where) in said
    assert made.decode() not in said.replace(" ", "")
    assert key.ensure(where, tmp_path / "var") == made
    assert not capsys.readouterr().out


def test_a_key_within_the_deployment_is_refused(tmp_path):
    with pytest.raises(Refusal, match="inside"):
        key.ensure(tmp_path / "var" / "secrets" / "backup.key", tmp_path / "var")
    with pytest.raises(Refusal, match="missing"):
        key.read(tmp_path / "none")
    (tmp_path / "short").write_text("secret\n")
    with pytest.raises(Refusal, match="longer"):
        key.read(tmp_path / "short")


@pytest.fixture
def writing(tmp_path):
    """A process of two threads which keeps writing into a file; its group, and whether the file grows."""
    path = tmp_path / "grows"
    path.touch()
    program = (
        "import sys, threading, time\n"
        "threading.Thread(target=lambda: time.sleep(60), daemon=True).start()\n"
        "out = open(sys.argv[1], 'ab', buffering=0)\n"
        "while True:\n"
        "    out.write(b'x')\n"
        "    time.sleep(0.001)\n"
    )

    def grows(seconds=0.2):
        before = path.stat().st_size
        time.sleep(seconds)
        return path.stat().st_size > before

    process = subprocess.Popen([sys.executable, "-c", program, str(path)], start_new_session=True)
    try:
        until(lambda: path.stat().st_size > 0, 20, "It does not start.")
        yield process.pid, grows
    finally:
        process.kill()
        process.wait()


def test_a_frozen_process_holds_still_and_goes_on(writing):
    group, grows = writing
    with freeze.frozen(group) as pause:
        assert not grows()
    assert grows(1)
    assert 0.2 < pause.seconds < 10
    with pytest.raises(ZeroDivisionError), freeze.frozen(group):
        raise ZeroDivisionError
    assert grows(1)


def test_a_freeze_that_lasts_too_long_ends_and_is_refused(writing, monkeypatch):
    monkeypatch.setattr(freeze, "LONGEST", 1)
    group, grows = writing
    with pytest.raises(Refusal, match="longer"), freeze.frozen(group):
        until(grows, 20, "It does not go on.")


def test_a_process_that_is_gone_is_refused():
    process = subprocess.Popen(["/bin/true"], start_new_session=True)
    process.wait()
    with pytest.raises(Refusal, match="ended"), freeze.frozen(process.pid):
        pass


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (3 << 20) + 7])
def test_a_copy_becomes_equal_whatever_was_there(tmp_path, size):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    freeze.copy_changed(source, target)
    assert target.read_bytes() == source.read_bytes()
    changed = bytearray(os.urandom(5) + source.read_bytes()[: size // 2])
    source.write_bytes(changed)
    freeze.copy_changed(source, target)
    assert target.read_bytes() == bytes(changed)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (2 << 20) + 3])
def test_files_come_back_with_their_rights(tmp_path, size):
    base, other = tmp_path / "base", tmp_path / "other"
    (base / "secrets").mkdir(parents=True)
    path = base / "secrets" / "one"
    path.write_bytes(os.urandom(size))
    path.chmod(0o400)
    for content in folders.parts(base, "secrets/one"):
        folders.write(other, content)
    assert (other / "secrets" / "one").read_bytes() == path.read_bytes()
    assert stat.S_IMODE((other / "secrets" / "one").stat().st_mode) == 0o400
    assert folders.tally(base, ["secrets/one"]).root == folders.tally(other, ["secrets/one"]).root


def test_drafts_of_secrets_are_no_secrets(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / ".one.123").touch()
    (tmp_path / "secrets" / "one").touch()
    assert folders.files(tmp_path)["files/secrets"] == ["secrets/one"]


def test_the_audits_files_are_copied_before_they_are_kept(tmp_path):
    """They grow all the time, and a file that grows while it is read would not be what its tally says."""
    var, still = tmp_path / "var", tmp_path / "still"
    for name in (
        "audit/chain/segment-000000000001.jsonl",
        "audit/chain/checkpoints.jsonl",
        "audit/chain/lock",
        "tasks/audit/1a.000001",
    ):
        (var / name).parent.mkdir(parents=True, exist_ok=True)
        (var / name).write_text("one\n")
    kept = folders.audit_copy(var, still)
    assert kept == [
        "audit/chain/checkpoints.jsonl",
        "audit/chain/segment-000000000001.jsonl",
        "tasks/audit/1a.000001",
    ]
    assert folders.files(var)[folders.AUDIT] == kept
    before = folders.tally(still, kept)
    with (var / kept[1]).open("a") as grown:
        grown.write("two\n")
    (var / kept[2]).unlink()
    assert folders.tally(still, kept).root == before.root


def test_a_place_that_is_taken_is_refused(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "something").touch()
    with pytest.raises(Refusal, match="not empty"):
        restore(tmp_path / "any.tbk", tmp_path / "var", print)
