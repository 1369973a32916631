"""The portal on real engines: TONGBAN_TEST_MONGO, _NATS, _KEYCLOAK (http://…/id) and _SECRETS (holds keycloak-admin-password).

Every run makes a realm and a database of its own and takes them away again.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pymongo
import pytest
from werkzeug.serving import make_server

from chassis.process import Parts
from chassis.settings import Settings
from deploy.samples.headersite import create_site as create_header_site
from deploy.samples.oldsite.accounts import Accounts
from deploy.samples.oldsite.site import create_site as create_old_site
from portal import setup
from portal.keycloak import bootstrap_admin
from portal.parts import PortalParts

PUBLIC = "https://localhost:18543"


@pytest.fixture(scope="session")
def parts(engines: dict[str, str], tmp_path_factory) -> Iterator[PortalParts]:
    """The portal's parts over the test's engines; no realm yet."""
    name = f"portal{uuid.uuid4().hex[:8]}"
    folder: Path = tmp_path_factory.mktemp("portal")
    (folder / "vault-key").write_text("k" * 43)
    given = Settings(
        service=name, process="test", public_url=PUBLIC, mongo_uri=engines["mongo"], nats_url=engines["nats"],
        keycloak_url=engines.get("keycloak") or os.environ.get("TONGBAN_TEST_KEYCLOAK", ""),
        realm=f"test-{uuid.uuid4().hex[:8]}", var=folder, secrets=folder,
    )  # fmt: skip
    made = PortalParts(Parts(given))
    yield made
    made.chassis.bus.close()
    pymongo.MongoClient(engines["mongo"]).drop_database(f"tongban_{name}")
    made.chassis.store.close()


@pytest.fixture(scope="session")
def realm(parts: PortalParts) -> Iterator[Settings]:
    """A realm of this run's own, set up once."""
    given = parts.chassis.settings
    source = os.environ.get("TONGBAN_TEST_SECRETS", "")
    if not given.keycloak_url or not source:
        pytest.skip("TONGBAN_TEST_KEYCLOAK and TONGBAN_TEST_SECRETS say where Keycloak is")
    shutil.copy(Path(source) / "keycloak-admin-password", given.secrets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TONGBAN_DEMO", "1")
        patch.setenv("TONGBAN_HTTP_GATEWAY", "127.0.0.1:9")
        setup.run(given)
        yield given
    bootstrap_admin(given).delete_realm(given.realm)


@dataclass
class Sites:
    """The sample sites, each in a thread."""

    old: str
    header: str
    accounts: Accounts


@pytest.fixture(scope="session")
def sites(tmp_path_factory) -> Iterator[Sites]:
    accounts = Accounts(str(tmp_path_factory.mktemp("old") / "users.db"))
    servers = [
        make_server("127.0.0.1", 0, site, threaded=True)
        for site in (create_old_site(accounts), create_header_site())
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    addresses = [f"http://127.0.0.1:{server.port}" for server in servers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TONGBAN_LOOPBACK_APPS", "1")
        yield Sites(*addresses, accounts)
    for server in servers:
        server.shutdown()
