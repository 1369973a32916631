"""The running platform as who operates it sees it: its folder, its figures, its administrator."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.demo.acting import People
from tests.checks.browser import Browser
from tests.checks.platform import settings_of


@dataclass(frozen=True)
class Running:
    """A platform by its environment, whoever started it."""

    env: dict[str, str]

    @property
    def var(self) -> Path:
        return Path(self.env["TONGBAN_VAR"])

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
def running(platform_env) -> Running:
    """The test stack, or the platform that runs already."""
    return Running(platform_env)


@pytest.fixture(scope="session")
def scraped(running):
    """One scrape of everything."""
    return running.scrape()


@pytest.fixture(scope="session")
def people(running):
    return People(settings_of(running))


@pytest.fixture(scope="session")
def stranger(running):
    browser = Browser(running.env["TONGBAN_PUBLIC_URL"], Path(running.env["TONGBAN_TLS"]) / "ca.crt")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def administrator(running):
    """The system administrator, signed in through the real pages."""
    browser = Browser(running.env["TONGBAN_PUBLIC_URL"], Path(running.env["TONGBAN_TLS"]) / "ca.crt")
    browser.sign_in("sysadmin", settings_of(running).secret("demo-password"))
    yield browser
    browser.close()
