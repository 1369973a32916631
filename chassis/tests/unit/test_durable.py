"""Files on a disk that is nearly full: whole, or what they were before."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from chassis import durable

OLD, NEW = b"what was there before", b"what is to stand there, and is longer than a piece"


@pytest.fixture
def disk(monkeypatch):
    """disk(left): from now on this many bytes fit, three at a time."""
    real = os.write

    def make(left):
        room = [left]

        def write(handle, data):
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            done = real(handle, data[: min(3, room[0])])
            room[0] -= done
            return done

        monkeypatch.setattr(os, "write", write)

    return make


@pytest.fixture
def path(tmp_path):
    (tmp_path / "state.json").write_bytes(OLD)
    return tmp_path / "state.json"


def test_what_the_disk_takes_piece_by_piece_is_whole(path, disk):
    disk(1000)
    durable.replace_file(path, NEW)
    assert path.read_bytes() == NEW
    durable.append_line(path, b"and a line")
    assert path.read_bytes() == NEW + b"and a line\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("left", [0, 1, len(NEW) - 1])
def test_what_the_disk_does_not_take_leaves_the_file_as_it_was(path, disk, left):
    for write in (durable.replace_file, durable.append_line):
        disk(left)
        with pytest.raises(OSError, match="No space"):
            write(path, NEW)
        assert path.read_bytes() == OLD
        assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_secret_is_made_once_and_an_empty_file_is_none(tmp_path):
    folder = tmp_path / "secrets"
    first = durable.ensure_secret(folder, "key")
    assert (len(first), durable.ensure_secret(folder, "key", "another")) == (43, first)
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "key").write_text("")
    assert durable.ensure_secret(folder, "key", "given") == "given"
