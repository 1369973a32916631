"""Fixtures for the tests of the pages' factory and kit."""

from __future__ import annotations

import pytest

from chassis.web.tests.sample import make_app


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    return make_app(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def client(app):
    return app.test_client()
