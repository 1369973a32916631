"""Which archives are kept, and when the alarm is due (check 69)."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.backup import keeping
from deploy.local.say import Refusal

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def nightly(days):
    return [keeping.name(NOW - timedelta(days=day)) for day in range(days)]


def test_seven_daily_four_weekly_six_monthly_are_kept():
    names = nightly(400)
    kept = sorted(set(names) - set(keeping.surplus(names)), reverse=True)
    days = [
        (NOW - datetime.strptime(one, "tongban-%Y%m%dT%H%M%SZ.tbk").replace(tzinfo=UTC)).days for one in kept
    ]
    assert days[:7] == [0, 1, 2, 3, 4, 5, 6]
    # Weeks end on Sunday 22nd, 15th, 8th, 1st; months on the last of October back to June.
    assert days[7:] == [7, 14, 21, 22, 53, 83, 114, 145]


def test_pruning_again_removes_nothing_more():
    names = nightly(400)
    kept = set(names) - set(keeping.surplus(names))
    assert keeping.surplus(kept) == []


def test_gaps_do_not_count_against_what_there_is():
    names = [keeping.name(NOW - timedelta(days=day)) for day in (0, 30, 31, 300)]
    assert keeping.surplus(names) == []


def test_of_one_day_the_newest_stays():
    early, late = keeping.name(NOW), keeping.name(NOW + timedelta(hours=1))
    assert keeping.surplus([early, late]) == [early]


def test_what_is_no_archive_is_left_alone(tmp_path):
    for day in range(400):
        (tmp_path / keeping.name(NOW - timedelta(days=day))).touch()
    (tmp_path / "tongban-20200101T000000Z.tbk.bak").touch()
    gone = keeping.prune(tmp_path)
    assert len(list(tmp_path.iterdir())) == 401 - len(gone)
    assert (tmp_path / "tongban-20200101T000000Z.tbk.bak").exists()


@pytest.mark.parametrize(("hours", "good"), [(0, True), (25.9, True), (26.1, False), (200, False)])
def test_alarm_after_26_hours(tmp_path, hours, good):  # check 69
    archive = tmp_path / "a.tbk"
    archive.write_bytes(b"x")
    keeping.note(tmp_path, archive, None, NOW, 1.0)
    assert keeping.status(tmp_path, NOW + timedelta(hours=hours))[0] is good


def test_alarm_without_any_backup_and_when_an_archive_is_gone(tmp_path):  # check 69
    assert not keeping.status(tmp_path, NOW)[0]
    archive = tmp_path / "a.tbk"
    archive.write_bytes(b"x")
    keeping.note(tmp_path, archive, tmp_path / "second", NOW, 1.0)
    good, said = keeping.status(tmp_path, NOW)
    assert not good
    assert "second" in said


def test_the_second_copy_is_compared(tmp_path, monkeypatch):  # check 69
    archive, second = tmp_path / "a.tbk", tmp_path / "second"
    archive.write_bytes(b"archive")
    keeping.copy(archive, second)
    assert (second / "a.tbk").read_bytes() == b"archive"
    (second / "a.tbk").unlink()
    monkeypatch.setattr(keeping.shutil, "copyfile", lambda _source, target: target.write_bytes(b"archivf"))
    with pytest.raises(Refusal, match="differs"):
        keeping.copy(archive, second)
    assert list(second.iterdir()) == []


def test_one_backup_at_a_time(tmp_path):
    left = tmp_path / f"{keeping.WORK}x"
    left.mkdir()
    with keeping.alone(tmp_path):
        assert not left.exists()
        with pytest.raises(Refusal, match="under way"), keeping.alone(tmp_path):
            pass
