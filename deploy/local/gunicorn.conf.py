# ruff: noqa: N999 - gunicorn knows its configuration by this name.
# How gunicorn serves pages and the gateway. Every page waits for gRPC, hence threads; no preload, because
# gRPC channels must be made after the fork.

import os
import resource
from pathlib import Path
from typing import Any

bind = os.environ["TONGBAN_HTTP"]
worker_class = "gthread"
workers = int(os.environ.get("TONGBAN_WEB_WORKERS", "1"))
# The gateway answers the edge about every request, and must do so while calls to a slow service wait; the portal shows its pages
# while legacy systems are waited for.
threads = {"gateway": 32, "portal": 24}.get(os.environ["TONGBAN_SERVICE"], 8)
# A connection takes a descriptor, and serving it takes others. A worker without any left would end; so it accepts no more than it
# can serve, and who comes later waits at the door. At rest a worker of the gateway holds 23, and
# it opens channels to the services as they are called.
_descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
worker_connections = max(4, min(1000, (_descriptors - 48) // 2)) if _descriptors > 0 else 1000
timeout = 60
graceful_timeout = 10
# Longer than the edge keeps an idle connection, so that it is never the server who closes one in use.
keepalive = 75
# As much as the edge lets through in one line of a request's head, so that it is the edge that refuses more.
limit_request_line = 8190
limit_request_field_size = 8190
# The edge sets X-Forwarded-Proto; nobody else can connect.
forwarded_allow_ips = "127.0.0.1"
proc_name = f"tongban-{os.environ['TONGBAN_SERVICE']}"
errorlog = "-"
# By default all masters of a user share one socket in the home folder, which no two deployments can.
control_socket_disable = True


# A worker says when it serves: whoever renews workers waits for it (deploy.local.rolling). The mark bears the service's name, for
# ids are used again, and nobody can take away the mark of another account.
def _mark(worker: Any) -> Path:
    name = f"{os.environ['TONGBAN_SERVICE']}-worker-{worker.pid}"
    return Path(os.environ["TONGBAN_VAR"], "ready", name)


def post_fork(_server: Any, worker: Any) -> None:
    _mark(worker).unlink(missing_ok=True)


def post_worker_init(worker: Any) -> None:
    _mark(worker).parent.mkdir(parents=True, exist_ok=True)
    _mark(worker).touch()


def worker_exit(_server: Any, worker: Any) -> None:
    _mark(worker).unlink(missing_ok=True)
