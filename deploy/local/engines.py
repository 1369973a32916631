"""The engines under the application: database, message broker, identity provider.

Each function writes its engine's configuration into the deployment's folder and says how to run it.
"""

import errno
import json
import os
import shutil
from pathlib import Path

from chassis.durable import ensure_secret
from deploy.local import env, nats_users, secretfiles
from deploy.local.cache import Tools
from deploy.local.child import Spec
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.probes import answers, listens
from deploy.local.settings import Settings

NAMES = ("mongo", "nats", "keycloak")

# The largest message: an event carries references, never a file; files lie in the database.
_MAX_PAYLOAD = 4 * 1024 * 1024

_RESERVE = 64 * 1024 * 1024  # bytes that must be free on the broker's disk


def spec(name: str, settings: Settings, tools: Tools) -> Spec:
    """The engine `name`, configured."""
    return {"mongo": _mongo, "nats": _nats, "keycloak": _keycloak}[name](settings, tools)


def _mongo(settings: Settings, tools: Tools) -> Spec:
    folder = settings.var / "mongo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = Ports(settings).engine("mongo")
    quiet = "-Dslf4j.internal.verbosity=ERROR"  # The library logs through a facade; no log is wanted of it.
    java = ("java", "-Xmx1g", quiet, "-XX:+ExitOnOutOfMemoryError", "-cp", tools.mongo_classpath)
    return Spec(
        name="mongo",
        command=(*java, "MongoLauncher", str(folder / "records.mv"), LOOPBACK, str(port)),
        env=env.inherited(),
        cwd=folder,
        ready=listens(port),
    )


def _nats(settings: Settings, tools: Tools) -> Spec:
    folder = settings.var / "nats"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports = Ports(settings)
    config = {
        "server_name": "tongban-local",
        "listen": f"{LOOPBACK}:{ports.engine('nats')}",
        "http": f"{LOOPBACK}:{ports.engine('nats_monitor')}",
        "max_payload": _MAX_PAYLOAD,
        "authorization": nats_users.authorization(
            ensure_secret(settings.secrets, "nats-password"),
            ensure_secret(settings.secrets, "nats-audit-password"),
        ),
        # An acknowledged event is on the disk; without this it could be lost for the next two minutes.
        "jetstream": {"store_dir": str(folder), "sync_interval": "always"},
    }
    healthy = answers(ports.engine("nats_monitor"), "/healthz")
    # The server's own format takes JSON.
    secretfiles.write_private(folder / "nats.conf", json.dumps(config, indent=2))
    return Spec(
        name="nats",
        command=(str(tools.nats_server), "--config", str(folder / "nats.conf")),
        env=env.inherited(),
        cwd=folder,
        ready=healthy,
        before=lambda: _room(folder),
        # After a full disk it refuses every message until it is started anew, however much room there is by then.
        works=lambda: healthy() or _full(folder),
    )


def _full(folder: Path) -> bool:
    """Whether the disk has so little room left that starting or writing would fail."""
    disk = shutil.disk_usage(folder)
    return disk.free < min(_RESERVE, disk.total // 8)


def _room(folder: Path) -> None:
    """Raises OSError on a full disk: a broker that is started there comes up without its streams, and says that all is well."""
    if _full(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _keycloak(settings: Settings, tools: Tools) -> Spec:
    home = settings.var / "keycloak"
    _keycloak_home(home, tools.keycloak)
    ports = Ports(settings)
    options = {
        "cache": "local",
        "http-enabled": "true",
        "http-host": LOOPBACK,
        "http-port": str(ports.engine("keycloak")),
        "http-management-port": str(ports.engine("keycloak_management")),
        "hostname": f"{settings.public_url}/id",
        # Services fetch keys and tokens without going round by the edge.
        "hostname-backchannel-dynamic": "true",
        "proxy-headers": "xforwarded",
        "proxy-trusted-addresses": LOOPBACK,
        # Being asked for its health before it is ready is the normal course of a start.
        "log-level": "info,io.smallrye.health:error",
    }
    return Spec(
        name="keycloak",
        command=(
            str(home / "bin" / "kc.sh"),
            "start",
            "--optimized",
            *(f"--{name}={value}" for name, value in options.items()),
        ),
        env={
            **env.inherited(),
            "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m",
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": ensure_secret(settings.secrets, "keycloak-admin-password"),
        },
        cwd=home,
        # Readiness is the management port's: the log line comes before the database is usable.
        ready=answers(ports.engine("keycloak_management"), "/health/ready"),
    )


def _keycloak_home(home: Path, installed: Path) -> None:
    """A home of the deployment's own, in which only programs are shared with other deployments.

    Keycloak finds its data below its home, and its home by where kc.sh really lies; so kc.sh is copied and
    the rest of the installation is linked.
    """
    (home / "bin").mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    shutil.copy2(installed / "bin" / "kc.sh", home / "bin" / "kc.sh")
    for shared in ("lib", "providers", "themes", "conf"):
        link = home / shared
        link.unlink(missing_ok=True)
        link.symlink_to(installed / shared)
