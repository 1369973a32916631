"""A backup while people work, and the restored platform: complete, without dangling references, ready to go on (checks 69-72)."""

import json
import os
import random
import subprocess
import sys
import time

import bson
import pytest

from deploy.backup.archive import Reader
from deploy.backup.sealed import Damaged
from deploy.backup.streams import EVENTS
from deploy.backup.tests.integration.district import DRAFTER, Office, Whole
from deploy.local.cache import ROOT
from deploy.local.stack import Stack
from tests.checks.browser import Browser
from tests.inprocess import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]
WRITERS = 4


def run(folder, *arguments):
    """`python -m deploy.backup …` with a key of the test's own; what it did and said."""
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'build/gen'}",
        "TONGBAN_BACKUP_KEY": str(folder / "backup.key"),
    }
    command = [sys.executable, "-m", "deploy.backup", *map(str, arguments)]
    return subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


class Taken:
    """One backup that was taken while people worked."""

    def __init__(self, stack, folder):
        self.folder, self.var = folder, stack.settings.var
        self.office = Office(stack)
        self.under_way = self.office.write(1).document
        # What nobody takes in meanwhile is in the stream alone: the restored platform must get it from there.
        stack.halt("tasks-work")
        self.office.start_writing(WRITERS)
        time.sleep(4)
        self.acknowledged = dict(self.office.done)
        self.done = run(folder, "backup", "--var", self.var, "--to", folder / "one", "--also", folder / "two")
        during = len(self.office.done) - len(self.acknowledged)
        self.office.stop_writing()
        stack.restart("tasks-work")
        assert self.done.returncode == 0, self.done.stdout + self.done.stderr
        print(self.done.stdout)
        print(
            f"{len(self.acknowledged)} documents acknowledged before the backup, {during} written during it"
        )
        (self.archive,) = (folder / "one").iterdir()
        key = "".join((folder / "backup.key").read_text().split()).encode()
        self.reader = Reader(self.archive, key)


@pytest.fixture(scope="module")
def taken(stack, tmp_path_factory):
    return Taken(stack, tmp_path_factory.mktemp("backup"))


@pytest.fixture(scope="module")
def restored(taken):
    """The platform from the archive, running beside the first one."""
    var = taken.folder / "restored"
    done = run(taken.folder, "restore", "--from", taken.archive, "--var", var)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    began = time.monotonic()
    with Stack(var, seconds=480) as stack:
        print(f"the restored platform is ready after {time.monotonic() - began:.0f} s more")
        yield stack


def test_nobody_was_refused_while_the_backup_was_taken(taken):  # check 69
    assert taken.office.problems == []
    manifest = taken.reader.verify()
    events = manifest["sections"][EVENTS]["count"]
    print(
        f"paused {manifest['paused']:.2f} s, Keycloak {manifest['keycloak_paused']:.2f} s; {events} events not taken in"
    )
    assert manifest["paused"] < 5
    assert events > 0


def test_the_archive_is_in_two_places_and_its_success_is_known(taken):  # check 69
    assert (taken.folder / "two" / taken.archive.name).read_bytes() == taken.archive.read_bytes()
    said = run(taken.folder, "status", "--var", taken.var)
    assert said.returncode == 0, said.stdout
    assert json.loads((taken.var / "backup.json").read_text())["archive"] == str(taken.archive)


def test_the_archive_tells_nothing(taken):
    raw = taken.archive.read_bytes()
    for marker in ("备份期间", "照常办理", "qfb.mishu", "tongban_documents", "PRIVATE KEY"):
        assert marker.encode() not in raw


def test_a_flipped_bit_is_refused(taken):  # check 71
    good = taken.archive.read_bytes()
    bad = taken.folder / "bad.tbk"
    reader = Reader(bad, taken.reader._secret)
    for _ in range(40):
        place = random.randrange(len(good))
        bad.write_bytes(good[:place] + bytes([good[place] ^ 1 << random.randrange(8)]) + good[place + 1 :])
        with pytest.raises(Damaged):
            reader.verify()
    done = run(taken.folder, "restore", "--from", bad, "--var", taken.folder / "never")
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert not (taken.folder / "never").exists()
    assert not (taken.folder / ".never.restoring").exists()


def test_a_place_in_use_is_refused(taken):
    done = run(taken.folder, "restore", "--from", taken.archive, "--var", taken.var)
    assert done.returncode == 1
    assert "not empty" in done.stderr


def test_all_that_was_acknowledged_is_there(taken, restored):  # check 70
    office = Office(restored)
    short = [key for key, etag in taken.acknowledged.items() if int(office.read(key).etag) < int(etag)]
    assert short == []
    print(f"check 70: {len(taken.acknowledged)} documents read back, 0 missing or older")


def test_no_event_was_lost_and_nothing_dangles(restored):  # check 72
    whole = Whole(restored)
    assert whole.settled(180) == []
    assert whole.dangling() == []
    held = (
        len(whole.all_of("tasks", "obligations")),
        len(whole.people),
        len(whole.all_of("documents", "files")),
    )
    print("check 72: {} obligations, {} people, {} files: 0 dangling, 0 untold".format(*held))


def test_the_old_password_opens_it(restored):  # check 70
    browser = Browser(restored.url, restored.ca)
    page = browser.sign_in(DRAFTER, Office(restored).settings.secret("demo-password"))
    assert page.status_code == 200
    assert browser.get("/auth/me").status_code == 200
    assert browser.follow(browser.get("/documents/")).status_code == 200
    browser.close()


def test_a_document_under_way_goes_on(taken, restored):  # check 70
    office = Office(restored)
    # Keycloak refuses a person's attempt while it still counts the one before.
    office.people.until(30, lambda: office.people.token(DRAFTER))
    assert office.read(taken.under_way).state == "review"
    office.review(taken.under_way)
    office.sign_off(taken.under_way)
    number = office.dispatch(taken.under_way).document_number
    # The series went on where it stood: the number is new, and this document's.
    whole = Whole(restored)
    assert whole.all_of("documents", "numbers")[number]["holder"] == taken.under_way
    assert whole.settled(180) == []


KINDS = {
    "documents": ("documents", "deliveries", "numbers"),
    "tasks": ("obligations", "tasks", "todo"),
    "meetings": ("meetings", "rooms", "room_days"),
    "knowledge": ("items",),
    "portal": ("apps", "credentials"),
}


def everything(whole):
    """Every record that says something, without what only keeps changes in order."""
    order = ("revision", "outbox", "applied")
    return {
        (service, kind, key): {name: value for name, value in one.items() if name not in order}
        for service, kinds in KINDS.items()
        for kind in kinds
        for key, one in whole.all_of(service, kind).items()
    }


def of_registrar(place):
    """Whether a record is a part of the to-do list of the unit that is put back."""
    service, kind, key = place
    return (service, kind) == ("tasks", "todo") and key.partition("#")[0] == "u:fgw:registrar"


def test_one_organisation_is_put_back_and_the_others_stay_as_they_are(taken, stack):  # check 73
    whole = Whole(stack)
    assert whole.settled(180) == []
    # Lists follow their obligations a moment later.
    before = eventually(lambda: (one := everything(whole)) == everything(whole) and one, 60)
    # What was written after the backup is not in it, so only what is older can be lost and come back.
    kept = {
        bson.decode(content)["_id"]
        for section, content in taken.reader.entries()
        if section == "records/tongban_documents.deliveries"
    }
    lost = [
        place
        for place, one in before.items()
        if (place[:2] == ("documents", "deliveries") and one["unit"] == "fgw" and place[2] in kept)
        or of_registrar(place)
    ]
    assert len(lost) > 3
    for service, kind, key in lost:
        whole.client[f"tongban_{service}"][kind].delete_one({"_id": key})
    command = ("put-back", "--from", taken.archive, "--var", taken.var, "--units", "fgw")

    told = run(taken.folder, *command)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing was changed" in told.stdout
    assert everything(whole) == {place: one for place, one in before.items() if place not in lost}

    done = run(taken.folder, *command, "--write")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    after = everything(whole)
    back = [place for place in lost if place in after]
    # A part of a list in which nothing stands any more need not come back.
    assert back == [place for place in lost if before[place].get("items") != [] or not of_registrar(place)]
    listed = [
        {item["obligation"] for place, one in then.items() if of_registrar(place) for item in one["items"]}
        for then in (before, after)
    ]
    assert listed[0] == listed[1] != set()
    others = {place: one for place, one in before.items() if place not in lost}
    assert {place: one for place, one in after.items() if place not in lost} == others
    print(f"check 73: {len(back)} records of one organisation back, {len(others)} of others unchanged")
    refused = run(taken.folder, *command[:-1], "nobody", "--write")
    assert refused.returncode == 1
    assert "There is no unit nobody" in refused.stdout
