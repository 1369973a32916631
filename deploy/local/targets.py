"""Where every process serves its /metrics: one list, out of units.toml, for Prometheus and for the page of the system's state.

The form is Prometheus' own (file_sd). Under systemd or in a cluster whoever starts the processes writes the same list.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from deploy.local.ports import LOOPBACK, Ports, processes
from deploy.local.secretfiles import write_private
from deploy.local.settings import Settings
from deploy.local.units import Unit

_OBSERVABILITY = Path("deploy") / "observability"


def targets(settings: Settings, units: tuple[Unit, ...]) -> list[dict[str, Any]]:
    """One entry for each kind of process of each unit; labels that begin with __ are for the page only."""
    ports = Ports(settings)
    found = [
        {
            "targets": [f"{LOOPBACK}:{port}" for port in ports.metrics(unit, process)[:count]],
            "labels": {"unit": unit.name, "process": process, "__title": unit.title or unit.name},
        }
        for unit in units
        for process, count in processes(unit).items()
    ]
    management = f"{LOOPBACK}:{ports.engine('keycloak_management')}"
    return [*found, {"targets": [management], "labels": {"unit": "keycloak", "process": "engine"}}]


def write(settings: Settings, units: tuple[Unit, ...]) -> None:
    """Write the list into the deployment's folder, beside Prometheus' configuration and its rules."""
    folder = settings.var / "prometheus"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    listed = json.dumps(targets(settings, units), indent=2, ensure_ascii=False)
    write_private(folder / "targets.json", listed)
    for name in ("prometheus.yml", "alerts.yml"):
        source = settings.root / _OBSERVABILITY / name
        if source.is_file():
            shutil.copyfile(source, folder / name)
