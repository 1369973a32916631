"""The archive's format: what is not bit for bit what was written is refused (check 71)."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.backup import sealed
from deploy.backup.archive import Reader, Writer
from deploy.backup.sealed import Damaged, Sealer, opened

KEY, OTHER = b"a key of the tests", b"another of the tests"
HEADER = 64


def seal(content):
    out = io.BytesIO()
    sealer = Sealer(out, KEY)
    sealer.write(content)
    sealer.close()
    return out.getvalue()


def unseal(data, key=KEY):
    return b"".join(opened(io.BytesIO(data), key))


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "small.tbk"
    with path.open("wb") as out:
        writer = Writer(out, KEY, {"tongban": "0"})
        writer.section("records/a.empty")
        for number in range(5):
            writer.add("records/a.b", b"record %d" % number)
        writer.add("stream/S", b"event")
        writer.finish({"indexes": {}})
    return path


def chunks(data):
    """The chunks of a sealed file, each with its frame."""
    found, at = [], HEADER
    while at < len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        found.append(data[at:end])
        at = end
    return found


def test_what_goes_in_comes_out(archive):
    reader = Reader(archive, KEY)
    read = list(reader.entries())
    assert read == [("records/a.b", b"record %d" % number) for number in range(5)] + [("stream/S", b"event")]
    assert reader.begin["tongban"] == "0"
    assert reader.manifest["sections"]["records/a.b"]["count"] == 5
    assert reader.manifest["sections"]["records/a.empty"]["count"] == 0
    assert list(reader.entries()) == read


def test_every_flipped_bit_is_refused(archive):  # check 71
    good = archive.read_bytes()
    refused = 0
    for place in range(len(good)):
        # One flipped salt byte costs one derivation of a key; elsewhere each of the eight bits is tried.
        for bit in range(8) if place >= HEADER else (place % 8,):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            archive.write_bytes(bad)
            with pytest.raises(Damaged):
                Reader(archive, KEY).verify()
            refused += 1
    print(f"check 71: {refused} flips in {len(good)} bytes, 0 accepted")


def test_every_truncation_is_refused(archive):
    good = archive.read_bytes()
    for length in range(len(good)):
        archive.write_bytes(good[:length])
        with pytest.raises(Damaged):
            Reader(archive, KEY).verify()


def test_another_key_is_refused(archive):
    with pytest.raises(Damaged, match="key"):
        Reader(archive, OTHER).verify()


def test_extra_data_is_refused(archive):
    with archive.open("ab") as out:
        out.write(b"\0")
    with pytest.raises(Damaged, match="follows its end"):
        Reader(archive, KEY).verify()


def test_chunks_out_of_place_are_refused(monkeypatch):
    monkeypatch.setattr(sealed, "CHUNK", 64)
    content = bytes(range(256)) * 2
    good = seal(content)
    assert unseal(good) == content
    pieces = chunks(good)
    assert len(pieces) == 8
    foreign = chunks(seal(content))  # the same content and key, yet another archive
    bad = {
        "two exchanged": [pieces[1], pieces[0], *pieces[2:]],
        "one left out": [pieces[0], *pieces[2:]],
        "one twice": [pieces[0], *pieces],
        "the last left out": pieces[:-1],
        "an end set early": [*pieces[:3], b"\x01" + pieces[3][1:]],
        "the end taken off": [*pieces[:-1], b"\x00" + pieces[-1][1:]],
        "one of another archive": [pieces[0], foreign[1], *pieces[2:]],
        "a second archive behind": [*pieces, *pieces],
    }
    for what, order in bad.items():
        with pytest.raises(Damaged):
            pytest.fail(f"{what}: {unseal(good[:HEADER] + b''.join(order))!r}")


def test_a_key_is_never_used_for_two_archives():
    assert seal(b"the same") != seal(b"the same")


def test_an_archive_that_was_not_finished_is_refused(tmp_path):
    path = tmp_path / "begun.tbk"
    with path.open("wb") as out:
        Writer(out, KEY, {}).add("records/a.b", b"x" * 10)
    with pytest.raises(Damaged):
        Reader(path, KEY).verify()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=600), place=st.integers(0), noise=st.binary(min_size=1, max_size=40))
def test_no_noise_anywhere_gets_through(monkeypatch, content, place, noise):
    monkeypatch.setattr(sealed, "CHUNK", 64)
    good = seal(content)
    assert unseal(good) == content
    at = HEADER + place % (len(good) - HEADER)
    for bad in (good[:at] + noise + good[at:], good[:at] + noise + good[at + len(noise) :]):
        if bad != good:
            with pytest.raises(Damaged):
                unseal(bad)
