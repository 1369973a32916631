"""Putting one organisation's records back into the running platform, while the others work on.

The archive's records go into a database process of their own. Each service then compares and puts back its own part
(chassis/putback.py), for only it knows whose a record is and what follows from it.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.backup import key, records
from deploy.backup.archive import Reader
from deploy.local import env, state, units
from deploy.local.cache import ROOT, tools
from deploy.local.say import Refusal
from deploy.local.settings import Settings


def put_back(archive: Path, var: Path, wanted: str, flags: list[str], say: Callable[[str], None]) -> int:
    """Compare and, with --write among `flags`, put back what the units `wanted` own; 1 when a service refused something.

    Refuses a damaged archive, and a unit that the running platform does not know.
    """
    running = state.read(var)
    secret = key.read(key.path())
    manifest = Reader(archive, secret).verify()
    say(f"the archive is whole; it is of {manifest['cut']:%Y-%m-%d %H:%M:%S} UTC")
    with tempfile.TemporaryDirectory(prefix="put-back-", dir=var) as work, records.served(Path(work)) as old:
        inserting = records.Inserting(old)
        for section, content in Reader(archive, secret).entries():
            if section.startswith(records.SECTION):
                inserting.add(section, content)
        inserting.flush()
        address = old.address
        if address is None:
            raise Refusal("The archive's records cannot be served; try again.")
        host, port = address
        source = f"mongodb://{host}:{port}/?directConnection=true"
        failed = False
        for unit in units.load(ROOT):
            if unit.grpc and f"{records.PREFIX}{unit.name}" in old.list_database_names():
                arguments = ("put-back", "--from", source, "--units", wanted, *flags)
                failed |= _service(var, running["env"], unit, *arguments) != 0
    if "--write" not in flags:
        say("nothing was changed; add --write to do it")
    return int(failed)


def _service(var: Path, platform: dict[str, str], unit: units.Unit, *arguments: str) -> int:
    """One service's command, in the running deployment's environment; what it says is shown."""
    given = env.for_process(Settings(var=var), platform, unit, "put-back")
    python = tools().environment / "bin" / "python"
    return subprocess.run(
        [python, "-m", unit.module, *arguments], env=given, cwd=ROOT, check=False
    ).returncode
