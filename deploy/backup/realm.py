"""Keycloak's own database: the realm with its people, the hashes of their passwords, its keys and clients.

Its export lacks the hashes when asked for by REST, and by program it needs the database for itself. So the file of the embedded
database (H2) is copied while Keycloak is held still for some milliseconds, then opened and put in order by H2 itself.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.backup.freeze import Pause, copy_changed, frozen
from deploy.local.cache import tools
from deploy.local.say import Refusal

FILE = Path("keycloak") / "data" / "h2" / "keycloakdb.mv.db"
# H2 writes what was committed within half a second; only after that is a file as new as the records are.
SETTLE = 2.0
_COUNTED = {
    "realms": "REALM", "people": "USER_ENTITY", "credentials": "CREDENTIAL", "groups": "KEYCLOAK_GROUP",
    "clients": "CLIENT",
}  # fmt: skip
# As with the gateway's sessions: a login that has ended since must not come to life again.
_SESSIONS = ("OFFLINE_CLIENT_SESSION", "OFFLINE_USER_SESSION")


def copy(var: Path, group: int, target: Path) -> Pause:
    """A copy of the running Keycloak's database, without sessions, closed in good order; how long Keycloak paused."""
    target.parent.mkdir(parents=True, exist_ok=True)
    copy_changed(var / FILE, target)
    with frozen(group) as pause:
        copy_changed(var / FILE, target)
    forgetting = (f"DELETE FROM {table}" for table in _SESSIONS)  # noqa: S608 - our own names
    _ask(target, *forgetting, "SHUTDOWN COMPACT")
    return pause


def counts(file: Path) -> dict[str, int]:
    """How many realms, people, credentials, groups and clients the file holds; it is not changed."""
    questions = (f"SELECT COUNT(*) FROM {table}" for table in _COUNTED.values())  # noqa: S608 - our own names
    rows = _ask(file, *questions, options=";ACCESS_MODE_DATA=r")
    return dict(zip(_COUNTED, (int(row) for row in rows if row.isdigit()), strict=True))


def _ask(file: Path, *statements: str, options: str = "") -> list[str]:
    (program,) = (tools().keycloak / "lib" / "lib" / "main").glob("com.h2database.h2-*.jar")
    url = f"jdbc:h2:file:{str(file).removesuffix('.mv.db')};NON_KEYWORDS=VALUE;IFEXISTS=TRUE{options}"
    # Keycloak's embedded database has neither user nor password; who may read the file may read it.
    shell = ["org.h2.tools.Shell", "-url", url, "-user", "", "-password", "", "-sql", "; ".join(statements)]
    done = subprocess.run(
        ["java", "-Xmx256m", "-cp", str(program), *shell],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise Refusal(
            f"The copy of Keycloak's database cannot be opened ({done.stderr.strip()[:200]}); try again."
        )
    return [row.strip() for row in done.stdout.splitlines()]
