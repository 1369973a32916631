"""The portal on real engines. Every run makes a realm and a database of its own and takes them away again.

Database and broker come from the fixture `engines`. Keycloak is the one at TONGBAN_TEST_KEYCLOAK (http://…/id),
whose administrator's password stands in the folder TONGBAN_TEST_SECRETS; without these one is started.
"""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pymongo
import pytest
from werkzeug.serving import make_server

from chassis.parts import Parts
from chassis.settings import Settings
from deploy.local.cache import ROOT
from deploy.local.stack import Stack
from deploy.samples.headersite import create_site as create_header_site
from deploy.samples.oldsite.accounts import Accounts
from deploy.samples.oldsite.site import create_site as create_old_site
from portal import setup
from portal.keycloak import bootstrap_admin
from portal.parts import PortalParts

PUBLIC = "https://localhost:18543"


@dataclass
class Keycloak:
    """Where Keycloak answers, and the password of its administrator."""

    url: str
    password: str


@pytest.fixture(scope="session")
def keycloak(request: pytest.FixtureRequest) -> Iterator[Keycloak]:
    url, folder = os.environ.get("TONGBAN_TEST_KEYCLOAK"), os.environ.get("TONGBAN_TEST_SECRETS")
    if url and folder:
        yield Keycloak(url, (Path(folder) / "keycloak-admin-password").read_text())
        return
    if any("stack" in getattr(item, "fixturenames", ()) for item in request.session.items):
        # The whole platform runs in this session anyway, with a Keycloak in which one more realm disturbs nobody.
        whole: Stack = request.getfixturevalue("stack")
        password = whole.settings.secrets / "keycloak-admin-password"
        yield Keycloak(whole.env["TONGBAN_KEYCLOAK_URL"], password.read_text())
        return
    with Stack(ROOT / "var" / "test" / "keycloak", engines=("keycloak",), applications=False) as stack:
        password = Path(stack.env["TONGBAN_SECRETS"]) / "keycloak-admin-password"
        yield Keycloak(stack.env["TONGBAN_KEYCLOAK_URL"], password.read_text())


@pytest.fixture(scope="session")
def parts(engines: dict[str, str], tmp_path_factory) -> Iterator[PortalParts]:
    """The portal's parts over the test's engines; no realm yet."""
    name = f"portal{uuid.uuid4().hex[:8]}"
    folder: Path = tmp_path_factory.mktemp("portal")
    (folder / "vault-key").write_text("k" * 43)
    given = Settings(
        service=name, process="test", public_url=PUBLIC, mongo_uri=engines["mongo"], nats_url=engines["nats"],
        keycloak_url="http://127.0.0.1:9/id",
        realm=f"test-{uuid.uuid4().hex[:8]}", var=folder, secrets=folder,
    )  # fmt: skip
    made = PortalParts(Parts(given))
    yield made
    made.chassis.bus.run(_cancel_watches(), 5)
    made.chassis.bus.close()
    pymongo.MongoClient(engines["mongo"]).drop_database(f"tongban_{name}")
    made.chassis.store.close()


async def _cancel_watches() -> None:
    # A watch that is thrown away while another module is imported makes Python 3.11's parser fail.
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


@pytest.fixture(scope="session")
def realm(parts: PortalParts, keycloak: Keycloak) -> Iterator[Settings]:
    """A realm of this run's own, set up once."""
    given = replace(parts.chassis.settings, keycloak_url=keycloak.url)
    (given.secrets / "keycloak-admin-password").write_text(keycloak.password)
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
