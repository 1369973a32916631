"""The exact version of every tool that is not in uv.lock. A change here is a new folder in the cache."""

import sys

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
UV = "0.13.9"
NATS = "2.15.2"
# For tests only: cuts and slows the links between processes.
TOXIPROXY = "2.5.0"
KEYCLOAK = "26.7.3"
MONGO = "1.47.0"
MAVEN_DEPENDENCY_PLUGIN = "3.8.1"

# Debian's texlive-lang-chinese, of which only the free Fandol fonts are taken. The name is a key of the
# cache, not a request: Debian offers one version at a time, and these fonts have not changed since 2015.
FONTS = "fandol-2015"

# What `kc.sh build` bakes in. The database is Keycloak's own file: right for one machine, not for a cluster.
KEYCLOAK_BUILD = (
    "--db=dev-file",
    "--health-enabled=true",
    "--metrics-enabled=true",
    "--http-relative-path=/id",
    "--http-management-relative-path=/",
)

# htmx 2 rather than 4: its server-sent events extension is the one which is written for it.
NPM = ("htmx.org@2.0.11", "htmx-ext-sse@2.2.4")

# What must be there of Debian: a program on PATH or a file, and which package brings it.
APT_RUN = {"nginx": "nginx", "openssl": "openssl"}
APT_TEST = {"chromium": "chromium", "pdftoppm": "poppler-utils", "faketime": "faketime", "wrk": "wrk"}
