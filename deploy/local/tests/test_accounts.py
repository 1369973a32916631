import os
import subprocess

import pytest

from deploy.local import accounts

NOBODY = "nobody"

pytestmark = pytest.mark.skipif(
    not accounts.divided([NOBODY]), reason="only root may start processes under other accounts"
)


def test_who_runs_under_an_account_reads_and_neither_writes_nor_ends(tmp_path):
    # pytest's folder is root's alone, as secrets and tools are.
    file = tmp_path / "file"
    file.write_text("whole")
    read = subprocess.run(accounts.under(NOBODY, "cat", str(file)), capture_output=True, check=True)
    assert read.stdout == b"whole"
    for command in (("tee", str(file)), ("kill", "-TERM", str(os.getpid())), ("kill", "-0", "1")):
        done = subprocess.run(
            accounts.under(NOBODY, *command), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        assert done.returncode != 0, command
    assert file.read_text() == "whole"


def test_a_folder_is_given_with_what_root_has_put_there_but_no_link(tmp_path):
    folder, outside = tmp_path / "unit", tmp_path / "outside"
    outside.write_text("root's")
    (folder / "index").mkdir(parents=True)
    (folder / "index" / "part").write_text("")
    (folder / "soft").symlink_to(outside)
    (folder / "hard").hardlink_to(outside)
    accounts.own(folder, NOBODY)
    owner = {path.name: path.lstat().st_uid for path in [folder, *folder.rglob("*"), outside]}
    given = owner.pop("unit")
    assert given != 0
    assert owner == {"index": given, "part": given, "soft": 0, "hard": 0, "outside": 0}
    subprocess.run(accounts.under(NOBODY, "touch", str(folder / "index" / "next")), check=True)


def test_nobody_takes_away_the_mark_of_another_account(tmp_path):
    folder = tmp_path / "ready"
    accounts.shared(folder)
    (folder / "of-root").touch()
    subprocess.run(accounts.under(NOBODY, "touch", str(folder / "of-nobody")), check=True)
    assert subprocess.run(
        accounts.under(NOBODY, "rm", str(folder / "of-root")), capture_output=True, check=False
    ).returncode


def test_an_account_that_is_not_there_is_named():
    assert accounts.missing([NOBODY, "no-such-account"]) == ["no-such-account"]
    assert not accounts.divided([NOBODY, "no-such-account"])
