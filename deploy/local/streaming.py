"""`python -P streaming.py <module>:<factory> <host> <port>`: an ASGI server that shares its port with its own successor.

uvicorn's command line cannot open its socket with SO_REUSEPORT, which a rolling restart needs (deploy.local.rolling).
"""

import socket
import sys

import uvicorn

# An open stream would hold the server's end back for ever.
GRACE_SECONDS = 5


def main() -> None:
    program, host, port = sys.argv[1:4]
    config = uvicorn.Config(program, factory=True, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    with socket.socket() as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((host, int(port)))
        uvicorn.Server(config).run(sockets=[shared])


if __name__ == "__main__":
    main()
