"""The running platform as who operates it sees it: its folder, its figures, its administrator."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.settings import Settings
from deploy.demo.acting import People
from tests.checks.browser import Browser


@dataclass(frozen=True)
class Running:
    """A platform by its environment, whoever started it."""

    env: dict[str, str]

    @property
    def var(self) -> Path:
        return Path(self.env["TONGBAN_VAR"])

    def settings(self, service: str = "demo") -> Settings:
        return Settings(
            service=service, process="test", public_url=self.env["TONGBAN_PUBLIC_URL"],
            mongo_uri=self.env["TONGBAN_MONGO_URI"], nats_url=self.env["TONGBAN_NATS_URL"],
            keycloak_url=self.env["TONGBAN_KEYCLOAK_URL"], realm=self.env["TONGBAN_REALM"],
            var=self.var, secrets=Path(self.env["TONGBAN_SECRETS"]),
        )  # fmt: skip

    def targets(self) -> list[dict]:
        return json.loads((self.var / "prometheus" / "targets.json").read_text())

    def scrape(self, only: str = "") -> dict[str, dict[str, list]]:
        """Every target, as Prometheus would: "<unit>-<process>" → name → samples."""

        def one(target):
            name = f"{target['labels']['unit']}-{target['labels']['process']}"
            samples: dict[str, list] = {}
            for address in target["targets"]:
                text = (
                    httpx.get(f"http://{address}/metrics", timeout=10, trust_env=False)
                    .raise_for_status()
                    .text
                )
                for family in text_string_to_metric_families(text):
                    for sample in family.samples:
                        samples.setdefault(sample.name, []).append(sample)
            return name, samples

        with ThreadPoolExecutor(8) as pool:
            wanted = [
                one
                for one in self.targets()
                if not only or only == "{unit}-{process}".format(**one["labels"])
            ]
            return dict(pool.map(one, wanted))


@pytest.fixture(scope="session")
def running(request) -> Running:
    """The test stack; or a platform that runs already, when TONGBAN_E2E_VAR names its folder."""
    given = os.environ.get("TONGBAN_E2E_VAR")
    if given:
        return Running(json.loads((Path(given) / "state.json").read_text())["env"])
    return Running(request.getfixturevalue("stack").env)


@pytest.fixture(scope="session")
def scraped(running):
    """One scrape of everything."""
    return running.scrape()


@pytest.fixture(scope="session")
def people(running):
    return People(running.settings())


@pytest.fixture(scope="session")
def stranger(running):
    browser = Browser(running.env["TONGBAN_PUBLIC_URL"], Path(running.env["TONGBAN_TLS"]) / "ca.crt")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def administrator(running):
    """The system administrator, signed in through the real pages."""
    browser = Browser(running.env["TONGBAN_PUBLIC_URL"], Path(running.env["TONGBAN_TLS"]) / "ca.crt")
    browser.sign_in("sysadmin", (Path(running.env["TONGBAN_SECRETS"]) / "demo-password").read_text().strip())
    yield browser
    browser.close()
