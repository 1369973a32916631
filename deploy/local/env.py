"""The environment which every process of a deployment is given."""

import os
from collections.abc import Mapping

from chassis.durable import ensure_secret
from deploy.local.cache import Tools
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.settings import Settings
from deploy.local.units import Unit, described, peers

REALM = "tongban"
NATS_USER = "tongban"

# What a shell may carry and would change how our processes run.
_FOREIGN = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE",
    "VIRTUAL_ENV",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
)
_FOREIGN_PREFIXES = ("TONGBAN_", "KC_", "GUNICORN_")
# Limits and addresses which an operator sets for the application, and not this program, pass through.
_OURS = ("TONGBAN_CACHE", "TONGBAN_BASE_PORT", "TONGBAN_EDGE_PORT", "TONGBAN_NO_DEMO")


def shared(settings: Settings, tools: Tools, units: tuple[Unit, ...]) -> dict[str, str]:
    """What is the same for every process: the platform's addresses and folders."""
    ports = Ports(settings)
    password = ensure_secret(settings.secrets, "nats-password")
    env = {
        "TONGBAN_PUBLIC_URL": settings.public_url,
        "TONGBAN_APPS_DOMAIN": settings.apps_domain,
        "TONGBAN_MONGO_URI": f"mongodb://{LOOPBACK}:{ports.engine('mongo')}/?directConnection=true",
        "TONGBAN_NATS_URL": f"nats://{NATS_USER}:{password}@{LOOPBACK}:{ports.engine('nats')}",
        "TONGBAN_NATS_MONITOR": f"http://{LOOPBACK}:{ports.engine('nats_monitor')}",
        "TONGBAN_KEYCLOAK_URL": f"http://{LOOPBACK}:{ports.engine('keycloak')}/id",
        "TONGBAN_REALM": REALM,
        "TONGBAN_KEYCLOAK_MANAGEMENT": f"http://{LOOPBACK}:{ports.engine('keycloak_management')}",
        "TONGBAN_EDGE_STATUS": f"{LOOPBACK}:{ports.engine('edge_status')}",
        "TONGBAN_EDGE_REFUSALS": str(settings.var / "edge" / "refused.log"),
        "TONGBAN_TARGETS": str(settings.var / "prometheus" / "targets.json"),
        "TONGBAN_VAR": str(settings.var),
        "TONGBAN_SECRETS": str(settings.secrets),
        "TONGBAN_TLS": str(settings.tls),
        "TONGBAN_CERTIFICATES": str(settings.certificates),
        "TONGBAN_BIND": settings.bind,
        "TONGBAN_EDGE_PORT": str(settings.edge_port),
        "TONGBAN_FONTS": str(tools.fonts),
        "TONGBAN_STATIC_VENDOR": str(tools.vendor),
        "TONGBAN_DEMO": "1" if settings.demo else "0",
        "TONGBAN_UNITS": described(tuple(unit for unit in units if unit.exists(settings.root))),
    }
    for unit in units:
        upper = unit.name.upper()
        if unit.grpc:
            env[f"TONGBAN_GRPC_{upper}"] = f"{LOOPBACK}:{ports.unit(unit, 'grpc')}"
            env[f"TONGBAN_PEERS_{upper}"] = " ".join(peers(unit, units, demo=settings.demo))
        if unit.http:
            env[f"TONGBAN_HTTP_{upper}"] = f"{LOOPBACK}:{ports.unit(unit, 'http')}"
        if unit.stream:
            env["TONGBAN_STREAM"] = f"{LOOPBACK}:{ports.unit(unit, 'stream')}"
    return env


def inherited(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The operator's shell without what would change how we run; proxies are kept off the loopback."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _FOREIGN and not name.startswith(_FOREIGN_PREFIXES)
    }
    no_proxy = ",".join(filter(None, [environ.get("NO_PROXY"), "localhost", LOOPBACK]))
    return {**kept, "NO_PROXY": no_proxy, "no_proxy": no_proxy}


def for_python(settings: Settings, platform: Mapping[str, str]) -> dict[str, str]:
    """The environment of any Python process of the platform: the shell's, the platform's, the import path."""
    return {
        **inherited(),
        **operator_settings(platform),
        **platform,
        "PYTHONPATH": f"{settings.root}:{settings.root / 'build' / 'gen'}",
        "PYTHONUNBUFFERED": "1",
    }


def operator_settings(platform: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """TONGBAN_ settings of the operator's shell (limits, say) which neither we nor the platform set."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith("TONGBAN_") and name not in platform and name not in _OURS
    }


def for_process(settings: Settings, platform: Mapping[str, str], unit: Unit, process: str) -> dict[str, str]:
    """The environment of one application process."""
    ports = Ports(settings)
    env = {**for_python(settings, platform), "TONGBAN_SERVICE": unit.name, "TONGBAN_PROCESS": process}
    if places := ports.metrics(unit, process):
        env["TONGBAN_METRICS"] = f"{LOOPBACK}:{places[0]}-{places[-1]}"
    if unit.grpc:
        env["TONGBAN_GRPC"] = f"{LOOPBACK}:{ports.unit(unit, 'grpc')}"
    if process in {"pages", "web"}:
        env["TONGBAN_HTTP"] = f"{LOOPBACK}:{ports.unit(unit, 'http')}"
    elif process == "stream":
        env["TONGBAN_HTTP"] = f"{LOOPBACK}:{ports.unit(unit, 'stream')}"
    elif process == "site":
        env["TONGBAN_PORT"] = str(ports.unit(unit, "http"))
    return env
