"""Files on their way in: counted, judged, shown to the virus scanner; and nothing of a refused one remains."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from chassis import uploads, virus
from chassis.errors import Forbidden, InvalidInput, TooMuch, Unavailable
from chassis.uploads import received
from tests.checks.clamd import SIGNATURE, Clamd


def taken(data, **how):
    with received([data], **how) as file:
        return b"".join(file.pieces()), file.media_type


@pytest.fixture
def spools():
    """spools() → sizes of the nameless files that this process has opened since the test began."""

    def nameless():
        found = {}
        for link in Path("/proc/self/fd").iterdir():
            # The folder's own descriptor is gone by the time it is asked.
            with contextlib.suppress(FileNotFoundError):
                if "(deleted)" in str(link.readlink()):
                    found[link.stat().st_ino] = link.stat().st_size
        return found

    before = nameless()
    return lambda: [size for inode, size in nameless().items() if inode not in before]


def test_ten_gigabytes_are_stopped_at_the_limit(monkeypatch, spools):  # check 25
    monkeypatch.setenv("TONGBAN_FILE_BYTES", str(8 << 20))
    taken_from, largest = [], []

    def stream():
        for _ in range(10 << 10):
            taken_from.append(1)
            largest.append(max(spools(), default=0))
            yield b"a" * (1 << 20)

    with pytest.raises(TooMuch) as problem, received(stream()):
        pass
    assert "8 MB" in problem.value.zh
    assert len(taken_from) == 9, "nothing is read beyond the limit"
    assert max(largest) <= 8 << 20
    assert not spools(), "the temporary file is gone"
    print(
        f"check 25: 10 GiB offered, {len(taken_from)} MB taken, disk +{max(largest) >> 20} MB, nothing remains"
    )


def test_a_file_comes_out_as_it_went_in():
    data = b"\xe9\x80\x9a" * 900_000
    assert taken(data) == (data, "text/plain; charset=utf-8")
    assert taken(b"", own=True) == (b"", "text/plain; charset=utf-8")
    with pytest.raises(InvalidInput):
        taken(b"\x00\x01")
    assert taken(b"\x00\x01", own=True)[1] == "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "sentence"), [("甲\x00/空.md", "文件“空.md”是空的。"), ("", "文件是空的。")]
)
def test_an_empty_file_is_refused_by_its_name(name, sentence):
    with pytest.raises(InvalidInput) as problem, received([b"", b""], name=name):
        pass
    assert (problem.value.reason, problem.value.zh) == ("FILE_EMPTY", sentence)
    assert problem.value.fields == {"files": sentence}


@pytest.fixture(params=["tcp", "socket"])
def clamd(request, tmp_path, monkeypatch):
    with Clamd(tmp_path / "clamd.sock" if request.param == "socket" else None) as running:
        monkeypatch.setenv("TONGBAN_CLAMD", running.address)
        yield running


def test_what_is_clean_passes_and_what_is_not_does_not(clamd, spools):
    assert taken(b"a" * 3_000_000)[0] == b"a" * 3_000_000
    with pytest.raises(Forbidden) as problem:
        taken(b"text before " * 200_000 + SIGNATURE + b" and behind", own=True)
    assert problem.value.reason == "FILE_INFECTED"
    assert problem.value.zh.endswith("。")
    assert "Eicar" not in f"{problem.value.zh}{problem.value.en}", (
        "what the scanner knows is not the sender's to try out"
    )
    assert clamd.scanned == [3_000_000, 12 * 200_000 + len(SIGNATURE) + 11]
    assert not spools()


def test_without_the_setting_nobody_is_asked(monkeypatch):
    monkeypatch.delenv("TONGBAN_CLAMD", raising=False)
    assert taken(SIGNATURE)[0] == SIGNATURE


@pytest.mark.parametrize("kind", ["away", "mute", "too small"])
def test_who_cannot_be_asked_lets_nothing_in_unless_told_so(kind, monkeypatch, tmp_path):
    monkeypatch.setenv("TONGBAN_CLAMD_SECONDS", "0.5")
    with Clamd(limit=1000 if kind == "too small" else 1 << 30, mute=kind == "mute") as running:
        monkeypatch.setenv("TONGBAN_CLAMD", str(tmp_path / "nobody") if kind == "away" else running.address)
        with pytest.raises(Unavailable) as problem:
            taken(b"a" * 2_000_000)
        assert problem.value.reason == "NO_VIRUS_SCAN"
        monkeypatch.setenv("TONGBAN_CLAMD_AWAY", "accept")
        assert len(taken(b"a" * 2_000_000)[0]) == 2_000_000


def test_an_address_that_is_none_says_so(monkeypatch):
    monkeypatch.setenv("TONGBAN_CLAMD", "somewhere")
    with pytest.raises(Exception, match="TONGBAN_CLAMD"):
        virus.scan([b"a"])


def test_kinds_are_in_one_table():
    assert all(kind.partition("/")[2] for kind in (*uploads._MAGIC.values(), *uploads._ARCHIVES.values()))
