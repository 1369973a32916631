"""Accounts of the operating system: the application's processes under one, the audit's under one of its own.

Where this program runs as root, it starts them without root's rights, so that no other part of the application can end the audit's
processes or write its files (check 79). Reading is not divided: they may read what root may, for code, tools and secrets lie in
folders which root alone may enter. Under any other account all runs under that one, and whoever has it can end everything.
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

# As units.toml names them; `make install` makes those of its list.
SERVICES = "tongban"

_READING = "+dac_read_search"  # the one right of root that is handed on


def missing(names: Iterable[str]) -> list[str]:
    """Those of these accounts which this machine does not know."""
    return sorted(name for name in set(names) if not _known(name))


def divided(names: Iterable[str]) -> bool:
    """Whether processes can be started here under these accounts: as root, with the accounts made, where the kernel lets us."""
    wanted = sorted(set(names))
    if os.geteuid() != 0 or shutil.which("setpriv") is None or missing(wanted):
        return False
    # A container's root may lack the rights that are to be handed on; a trial says so better than a list of them.
    return all(
        subprocess.run(under(name, "true"), capture_output=True, check=False).returncode == 0
        for name in wanted
    )


def under(name: str, *command: str) -> tuple[str, ...]:
    """The command, run by this account with the right to read and no other. Raises KeyError where there is no such account."""
    rights = f"-all,{_READING}"
    return (
        "setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups", "--no-new-privs",
        f"--inh-caps={rights}", f"--ambient-caps={rights}", f"--bounding-set={rights}", "--", *command,
    )  # fmt: skip


def own(folder: Path, name: str) -> None:
    """Make the folder, if need be, and give it to this account with all in it.

    What root has put there (a restore, a rebuilt index) would otherwise be closed to the service. Links are left alone: the account
    could have made them to have something else given to it.
    """
    account = pwd.getpwnam(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for base, _, files in os.walk(folder):
        _give(Path(base), account)
        for file in files:
            _give(Path(base, file), account)


def shared(folder: Path) -> None:
    """Make an empty folder where each account makes files of its own and takes away no other's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o1777)


def _give(path: Path, account: pwd.struct_passwd) -> None:
    with contextlib.suppress(FileNotFoundError):  # a file of a process that works beside us
        found = path.lstat()
        plain = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
        if plain and found.st_uid != account.pw_uid:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
