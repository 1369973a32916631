"""Imports point inward: who may know whom, read from the source. Why: CONTRIBUTING.md, docs/adr/."""

from __future__ import annotations

import pytest

from tests.rules import tree

OURS = ("chassis", "services", "gateway", "portal", "deploy", "tests")
# Engines and wires, each with the modules that may speak to it and why.
DRIVERS = {
    ("pymongo", "bson", "gridfs"): {"chassis.store": "the only way to MongoDB"},
    ("nats",): {
        "chassis.bus": "the only way to NATS",
        "chassis.bus_thread": "the same for synchronous servers",
        "chassis.streams": "what the streams are like",
        "chassis.consuming": "durable consumers",
        "chassis.publishing": "batches into the stream, and what the broker says when it takes none",
        "chassis.deadletters": "the dead-letter stream",
        "gateway.stream": "core messages to open streams",
        "portal.directory.bucket": "writes the bucket that chassis.directory reads",
        "portal.directory.keeping": "keeps that bucket",
        "portal.directory.watching": "tells of logins that ended at Keycloak",
        "services.audit.events": "takes the audit's stream in its order",
        "services.audit.witness": "checkpoints in a bucket",
    },
    ("keycloak",): {
        "portal.keycloak": "the administrator's client",
        "portal.setup": "the realm",
        "portal.identity_events": "what only Keycloak sees, for the audit",
        "portal.directory": "units are groups, people are users",
    },
    ("tantivy",): {"chassis.search": "the search index"},
    ("rjieba",): {
        "chassis.search": "words rank",
        "services.documents.printing.titles": "a title's line ends between words",
    },
    ("grpc", "grpc_health", "grpc_status"): {
        "chassis": "the door, the client, health and the errors of the wire",
        "gateway.problems": "gRPC codes as HTTP status",
        "gateway.upstream": "calls any method by its descriptor",
        "services.*.rpc": "the servicers",
    },
    ("jwt",): {"chassis.identity": "verifies access tokens", "gateway.oidc": "verifies ID and logout tokens"},
    ("flask", "werkzeug", "jinja2"): {
        "chassis.web": "the pages' factory and kit",
        "gateway": "a web server",
        "services.*.pages": "pages",
        "portal.pages": "pages",
    },
}
# A model may use another module that does no I/O either.
PURE = {"portal.model": {"portal.connectors.target": "how an address of a legacy system is taken apart"}}
# Demonstration, samples and the local deployment stand outside of the services' walls.
OUTSIDE = ("deploy",)
PAGES_KNOW = (
    "chassis.web",
    "chassis.client",
    "chassis.errors",
    "chassis.filenames",
    "chassis.identity_types",
    "chassis.clock",
    "chassis.times",
    "chassis.words",
    "chassis.units",
    "chassis.context",
    "chassis.log",
)
PAGES_MAY = {
    "portal.pages": {
        "chassis.settings": "the proxy beside the pages is composed here",
        "chassis.parts": "as above",
        "chassis.identity": "the portal's own token, for the page after signing out",
        "portal.parts": "as above",
        "portal.connectors.proxy": "as above",
        "portal.system.runbooks": "the texts of a page, and nothing else",
    },
}


def matches(name, pattern):
    """Whether `name` is the module or lies in the package that `pattern` says; `*` stands for one part."""
    wanted, parts = pattern.split("."), name.split(".")
    return len(parts) >= len(wanted) and all(
        one in ("*", part) for one, part in zip(wanted, parts, strict=False)
    )


def known(module, *prefixes):
    """What `module` imports from below these packages."""
    return sorted(name for name in module.imports if tree.below(name, *prefixes))


def of(*prefixes):
    found = [module for module in tree.modules() if tree.below(module.name, *prefixes)]
    assert found, prefixes
    return found


def test_chassis_knows_nothing_of_those_who_stand_on_it():
    wrong = {module.name: known(module, *OURS[1:]) for module in of("chassis")}
    assert not {name: names for name, names in wrong.items() if names}
    generated = {
        module.name: [name for name in known(module, "tongban") if not tree.below(name, "tongban.portal.v1")]
        for module in of("chassis")
        if module.name != "chassis.audit"  # it writes the records which the audit chains
    }
    # It may know the directory's messages, which it keeps for everybody, and no other unit's.
    assert not {
        name: names for name, names in generated.items() if len(names) > names.count("tongban.portal")
    }


@pytest.mark.parametrize("service", tree.services())
def test_services_import_nothing_of_each_other(service):
    others = [f"services.{name}" for name in tree.services() if name != service]
    wrong = {
        module.name: known(module, *others, "gateway", "portal", "deploy", "tests")
        for module in of(f"services.{service}")
    }
    assert not {name: names for name, names in wrong.items() if names}


def test_gateway_and_portal_import_no_service_and_not_each_other():
    for unit, others in (("gateway", ("portal",)), ("portal", ("gateway",))):
        wrong = {module.name: known(module, "services", *others, "deploy", "tests") for module in of(unit)}
        assert not {name: names for name, names in wrong.items() if names}


def models():
    return [
        module
        for module in tree.modules()
        if matches(module.name, "services.*.model") or module.name == "portal.model"
    ]


@pytest.mark.parametrize("module", models(), ids=lambda module: module.name)
def test_a_model_knows_rules_only(module):
    forbidden = (
        "grpc", "google", "tongban", "pymongo", "bson", "nats", "flask", "httpx", "tantivy", "keycloak", "os",
        "socket", "subprocess", "threading",
        "chassis.store", "chassis.repository", "chassis.bus", "chassis.bus_thread", "chassis.streams",
        "chassis.outbox", "chassis.intents", "chassis.relay", "chassis.registry", "chassis.search",
        "chassis.door", "chassis.server", "chassis.idempotency", "chassis.client", "chassis.parts", "chassis.process", "chassis.web",
        "chassis.consumer", "chassis.consuming", "chassis.files", "chassis.settings", "chassis.context",
        "chassis.directory",
    )  # fmt: skip
    own = module.name.split(".model")[0]
    pure = PURE.get(module.name, {})
    beside = [name for name in known(module, own) if not tree.below(name, f"{own}.model", *pure)]
    assert not known(module, *forbidden)
    assert not beside, "a model imports nothing of its own service but the model"


def inner(service, *names):
    return [
        module
        for module in of(f"services.{service}")
        if module.name.split(".")[2:3] and module.name.split(".")[2] in names
    ]


@pytest.mark.parametrize("service", tree.services())
def test_within_a_service_imports_point_inward(service):
    """model ← commands ← rpc, events ← __main__; nobody imports pages."""
    mine = f"services.{service}"
    for module in inner(service, "commands", "model", "repository", "registry"):
        assert not known(module, f"{mine}.rpc", f"{mine}.__main__", f"{mine}.pages", "grpc", "flask"), (
            module.name
        )
    for module in inner(service, "rpc", "events"):
        assert not known(module, f"{mine}.__main__", f"{mine}.pages", "flask"), module.name
    for module in of(mine):
        if not tree.below(module.name, f"{mine}.pages"):
            assert not known(module, f"{mine}.pages"), module.name


def pages():
    return [
        module
        for module in tree.modules()
        if matches(module.name, "services.*.pages") or matches(module.name, "portal.pages")
    ]


@pytest.mark.parametrize("module", pages(), ids=lambda module: module.name)
def test_pages_reach_data_through_the_door_only(module):
    own = module.name.split(".pages")[0] + ".pages"
    allowed = (*PAGES_KNOW, *PAGES_MAY.get(own, {}), own)
    # `from chassis import clock` names the package, too.
    packages = {"chassis"} | {name.rpartition(".")[0] for name in allowed}
    assert not [
        name for name in known(module, *OURS) if not tree.below(name, *allowed) and name not in packages
    ]


@pytest.mark.parametrize("drivers", sorted(DRIVERS), ids=lambda drivers: drivers[0])
def test_each_engine_is_spoken_to_by_those_who_are_listed(drivers):
    allowed = DRIVERS[drivers]
    using = {
        module.name
        for module in tree.modules()
        if known(module, *drivers) and not tree.below(module.name, *OUTSIDE)
    }
    wrong = {name for name in using if not any(matches(name, pattern) for pattern in allowed)}
    assert not wrong
    idle = {pattern for pattern in allowed if not any(matches(name, pattern) for name in using)}
    assert not {pattern for pattern in idle if "*" not in pattern}, (
        "no longer needed: take it out of the list"
    )


def test_nobody_imports_the_tests():
    wrong = {}
    for module in tree.modules():
        found = [
            name
            for name in module.imports
            if tree.below(name, *OURS) and {"tests", "conftest"} & set(name.split("."))
        ]
        if found:
            wrong[module.name] = found
    assert not wrong
