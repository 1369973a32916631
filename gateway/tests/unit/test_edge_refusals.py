"""What the edge refuses by itself comes on record: once, bounded, and after an absence. # check 74"""

from __future__ import annotations

import itertools
import json

import pytest
from tongban.events.v1 import audit_pb2

from chassis.audit import Audit
from chassis.errors import Unavailable
from chassis.settings import Settings
from chassis.spool import frames
from gateway import edge_refusals
from gateway.edge_refusals import Reader


class Away:
    """A broker that is away, so that all that is recorded lies in the spool."""

    up = False


class World:
    """An edge's file, and what is on record of it."""

    def __init__(self, folder):
        self.settings = Settings("gateway", "test", "https://t", "", "", "", "tongban", folder, folder)
        self.audit = Audit(self.settings, Away)
        self.file = folder / "refused.log"
        self.numbers = itertools.count(1)

    def reader(self, audit=None):
        return Reader(audit or self.audit, self.file, self.settings.own_var)

    def write(self, status=413, address="10.1.1.1", end="\n", **more):
        line = {
            "at": 1790000000.123, "request_id": f"{next(self.numbers):032x}", "trace": "a" * 32, "address": address, "method": "POST",
            "host": "t", "path": "/api/v1/x", "status": status, **more,
        }  # fmt: skip
        with self.file.open("a") as file:
            file.write(json.dumps(line) + end)

    def records(self):
        kept = [frames(path.read_bytes()) for path in sorted((self.settings.own_var / "audit").glob("*"))]
        return [audit_pb2.AuditRecord.FromString(one) for one in itertools.chain.from_iterable(kept)]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.audit.close()


def test_a_refusal_is_on_record_with_who_what_when_and_from_where(world):
    world.write(413)
    assert world.reader().read() == 1
    (one,) = world.records()
    assert (one.service, one.action, one.result, one.code) == (
        "edge",
        "RequestRefused",
        "TOO_LARGE",
        "RESOURCE_EXHAUSTED",
    )
    assert (one.object, one.address, one.trace) == ("POST t/api/v1/x", "10.1.1.1", "a" * 32)
    assert (one.id, one.request_id) == (f"edge:{1:032x}", f"{1:032x}")
    assert (one.at.seconds, one.at.nanos, dict(one.details)) == (1790000000, 123_000_000, {})


def test_a_file_that_is_set_aside_is_read_to_its_end(world):
    world.write(413)
    assert world.reader().read() == 1
    world.write(429)
    world.write(400, end="")  # broken off, and never to be whole
    world.file.rename(world.file.with_suffix(".log.1"))
    assert world.reader().read() == 1
    assert world.reader().read() == 0
    world.write(421)
    assert [world.reader().read() for _ in range(2)] == [1, 0]
    assert [one.result for one in world.records()] == ["TOO_LARGE", "TOO_OFTEN", "HOST_UNKNOWN"]


def test_every_line_is_read_once_also_by_a_new_process_and_half_a_line_is_waited_for(world):
    assert world.reader().read() == 0
    world.write(429)
    assert world.reader().read() == 1
    world.write(400)
    world.write(421, end="")
    assert [world.reader().read() for _ in range(2)] == [1, 0]
    with world.file.open("a") as file:
        file.write("\n")
    assert [world.reader().read() for _ in range(2)] == [1, 0]
    assert [one.result for one in world.records()] == ["TOO_OFTEN", "REQUEST_MALFORMED", "HOST_UNKNOWN"]


def test_a_flood_from_one_place_is_one_record_with_its_number(world):
    for host in range(300):
        world.write(429, f"2001:db8::{host:x}")
    world.write(429, "10.0.0.1")
    assert world.reader().read() == 2
    assert [(one.address, one.details.get("count", "")) for one in world.records()] == [
        ("2001:db8::0", "300"),
        ("10.0.0.1", ""),
    ]


def test_a_flood_from_everywhere_fills_no_disk(world, monkeypatch):
    monkeypatch.setattr(edge_refusals, "PLACES", 3)
    for host in range(200):
        world.write(429, f"10.0.0.{host}")
    assert world.reader().read() == 4
    last = world.records()[-1]
    assert (last.address, last.details["count"]) == ("", "197")


def test_while_the_disk_takes_no_record_nothing_is_skipped_and_nothing_counted_twice(world):
    world.write(429)
    world.write(413)

    class Full:
        left = 1

        def record(self, *given, **facts):
            if not self.left:
                raise Unavailable("AUDIT_UNAVAILABLE", "审计记录暂时无法保存")
            self.left -= 1
            world.audit.record(*given, **facts)

    with pytest.raises(Unavailable):
        world.reader(Full()).read()
    # What came meanwhile is of the next reading, so that the first one's ids and numbers stay what they were.
    world.write(429)
    assert [world.reader().read() for _ in range(3)] == [2, 1, 0]
    found = [(one.id[-1], one.details.get("count", "")) for one in world.records()]
    assert found == [("1", ""), ("1", ""), ("2", ""), ("3", "")]  # of the same id, the chain keeps one


def test_what_is_no_line_of_the_edge_is_passed_over(world):
    with world.file.open("ab") as file:
        file.write(b'\n{"status":413}\n[]\nnonsense\n\xff\xfe\n"x"\n')
    world.write(200)
    world.write(413, path="/half a character: \ud83d")
    world.write(413, path="/a\u001b[31m")
    assert world.reader().read() == 1
    assert world.records()[0].object == "POST t/a\u001b[31m"


def test_a_file_that_was_set_aside_is_begun_anew_and_a_damaged_place_as_well(world):
    world.write(413)
    world.write(413, "10.0.0.2")
    assert world.reader().read() == 2
    world.file.rename(world.file.with_suffix(".1"))
    world.write(429)
    assert world.reader().read() == 1
    (world.settings.own_var / "edge-refusals.json").write_text("{")
    assert world.reader().read() == 1
    assert len({one.id for one in world.records()}) == 3


def test_one_process_at_a_time(world):
    world.write(413)
    with world.reader()._alone() as first:
        assert first
        assert world.reader().read() == 0
    assert world.reader().read() == 1
