import json
import re

import pytest

from gateway import openapi
from gateway.tests.unit.fakes import sample_routes


@pytest.fixture(scope="module")
def spec():
    return openapi.describe(sample_routes(), "https://localhost:8443")


def test_every_route_is_described_once(spec):
    described = {(verb.upper(), path) for path, verbs in spec["paths"].items() for verb in verbs}
    assert described == {(route.verb, route.template.openapi) for route in sample_routes().all}
    ids = [operation["operationId"] for verbs in spec["paths"].values() for operation in verbs.values()]
    assert len(ids) == len(set(ids))


def test_references_lead_somewhere(spec):
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(spec))
    assert references
    for reference in references:
        here = spec
        for part in reference.split("/"):
            here = here[part]
        assert here


def test_path_variables_are_parameters(spec):
    assert [path for path in spec["paths"] if "{" in path]
    for path, verbs in spec["paths"].items():
        for operation in verbs.values():
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"\{([^}]+)\}", path))


def test_kinds_of_fields(spec):
    thing = spec["components"]["schemas"]["sample.v1.Thing"]["properties"]
    assert thing["big"]["type"] == "string"
    assert thing["due_at"]["format"] == "date-time"
    assert thing["tags"] == {"type": "array", "items": {"type": "string"}}
    assert thing["labels"]["additionalProperties"] == {"type": "string"}
    assert spec["components"]["schemas"]["sample.v1.State"]["enum"][1] == "STATE_OPEN"


def test_recursive_messages_end(spec):
    query = [one["name"] for one in spec["paths"]["/api/v1/sample/things"]["get"]["parameters"]]
    assert "title" in query
    assert "inner.inner.title" not in query


def test_problems_and_headers_are_described(spec):
    close = spec["paths"]["/api/v1/sample/things/{thing}:close"]["post"]
    assert {"400", "401", "403", "404", "409", "422", "429", "503"} <= set(close["responses"])
    assert {"Idempotency-Key", "If-Match", "X-CSRF-Token"} <= {one["name"] for one in close["parameters"]}
    assert "thing" not in close["requestBody"]["content"]["application/json"]["schema"]["properties"]
