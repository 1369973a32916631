"""The audit's processes and files are out of reach of every other part of the application, by the operating system itself."""

from __future__ import annotations

import json
import os
import pwd
import subprocess

import pytest

from deploy.local import accounts, units
from tests.inprocess import eventually
from tests.load.measuring import family, status
from tests.rules import tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
AUDIT = "tongban-audit"
READING = 1 << 2  # CAP_DAC_READ_SEARCH, see capabilities(7)
LISTED = {unit.name: unit for unit in units.load(tree.ROOT)}


@pytest.fixture(autouse=True)
def _divided(stack):
    if not accounts.divided({unit.account for unit in LISTED.values()}):
        pytest.skip("only root may start processes under other accounts")


def process(pid):
    """The user and the rights of a process."""
    found = status(pid)
    return found["Uid"].split(), {int(found[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")}


def running(stack):
    """Name → ids of the process and its workers, of every process of the application that runs on."""
    names = [name for name in stack.names if name.partition("-")[0] in LISTED and not name.endswith("-setup")]
    return {name: family(stack.pid(name)) for name in names}


def attempt(account, *command):
    return subprocess.run(
        accounts.under(account, *command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_other_part_can_stop_the_audit_or_write_its_files(stack):
    """# check 79, check 76"""
    found = running(stack)
    ids = {name: pwd.getpwnam(unit.account).pw_uid for name, unit in LISTED.items()}
    for name, family_of in found.items():
        for pid in family_of:
            user, rights = process(pid)
            assert user == [str(ids[name.partition("-")[0]])] * 4, name
            assert rights == {READING}, f"{name} could end or write what is another's"
    audit = {name: pids for name, pids in found.items() if name.startswith("audit-")}
    others = {unit.account for unit in LISTED.values()} - {AUDIT}
    assert len(audit) == 3
    assert others
    denied = 0
    for account in others:
        for pid in {pid for pids in audit.values() for pid in pids}:
            for number in ("TERM", "KILL", "STOP", "HUP"):
                done = attempt(account, "kill", f"-{number}", str(pid))
                assert done.returncode, f"{account} may send {number}"
                assert "not permitted" in done.stderr
                denied += 1
        chain = stack.settings.var / "audit" / "chain"
        for path in [one for one in chain.iterdir() if one.is_file()]:
            before = path.stat().st_ino
            assert attempt(account, "tee", "-a", str(path)).returncode
            assert attempt(account, "rm", "-f", str(path)).returncode
            assert path.stat().st_ino == before
            denied += 2
    assert running(stack) == found
    print(
        f"check 79: {denied} attempts of {', '.join(others)} to end an audit process or to write the chain, all denied"
    )


def test_what_a_command_of_roots_left_waiting_is_taken_over(stack):
    """# check 79: `make audit`, say, that was killed; with its file in the way nothing of that service would reach the audit."""
    left = stack.settings.var / "tasks" / "audit" / "0.000001"
    left.touch(mode=0o600)
    assert left.stat().st_uid == 0
    eventually(lambda: not left.exists())


def test_who_may_stop_it_does_not_do_so_unseen(stack, browsers):
    """# check 79: the account of the audit itself may; the process is back, the operator is told, and it is on record."""
    report = stack.settings.var / "processes.json"

    def work():
        return json.loads(report.read_text())["audit-work"]

    auditor = browsers("auditor")

    def stops():
        page = auditor.get("/audit/", params={"service": "audit", "action": "AuditStopped"})
        assert page.status_code == 200
        return page.text.partition("<tbody")[2].count("<tr")

    on_record, before, pid = stops(), work()["restarts"], stack.pid("audit-work")
    assert attempt(AUDIT, "kill", "-TERM", str(pid)).returncode == 0
    eventually(lambda: work()["restarts"] > before and work()["state"] == "ready")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    eventually(lambda: stops() == on_record + 1)
    print(f"check 79: stopped by its own account: started again ({work()['reason']}), counted, and on record")
