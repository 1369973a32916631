# ruff: noqa: N999 - gunicorn knows its configuration by this name.
# How gunicorn serves pages and the gateway. Every page waits for gRPC, hence threads; no preload, because
# gRPC channels must be made after the fork.

import os

bind = os.environ["TONGBAN_HTTP"]
worker_class = "gthread"
workers = int(os.environ.get("TONGBAN_WEB_WORKERS", "1"))
# The gateway answers the edge about every request, and must do so while calls to a slow service wait.
threads = 32 if os.environ["TONGBAN_SERVICE"] == "gateway" else 8
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
