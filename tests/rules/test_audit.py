"""What the audit must know of every method: a Chinese name, and whether it is a security operation."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

from chassis.audit import READING
from chassis.errors import Forbidden, NotSignedIn
from services.audit.registry import kind_of
from services.audit.words import ACTIONS, FINDINGS, OWN, RESULTS, STRANGERS
from tests.rules import tree
from tests.rules.test_api import NO_EFFECT

ALL = [(unit, method) for unit, methods in tree.rpcs().items() for method in methods]
# Names of what gives or takes a right, or takes something away; such a method is a security operation or has a reason here.
TAKES = re.compile(
    r"Remove|Delete|Withdraw|Restore|Forget|Grant|Revoke|Role|Credential|SavePeople|SaveUnits|SaveApp|Replay"
)
HARMLESS = {"GetCredentialState": "reads"}


def security(unit):
    module = "portal.rpc" if unit == "portal" else f"services.{unit}.rpc"
    return importlib.import_module(module).SECURITY


@pytest.mark.parametrize("unit", tree.built())
def test_security_operations_are_named_beside_the_table(unit):
    """# check 79"""
    named = security(unit)
    assert isinstance(named, frozenset)
    assert named <= set(tree.who(unit))
    assert not [name for name in named if name.startswith(READING)]
    missing = {name for name in tree.who(unit) if TAKES.search(name)} - named - set(HARMLESS)
    assert not missing
    print(f"check 79: {unit}: {len(named)} security operations")


@pytest.mark.parametrize("unit", tree.built())
def test_the_service_hands_them_over(unit):
    source = (tree.ROOT / ("portal" if unit == "portal" else f"services/{unit}") / "__main__.py").read_text()
    assert "security=" in source.replace("\n", "")


def test_every_method_has_a_chinese_name():
    """# check 74"""
    nameless = [f"{unit}.{method.name}" for unit, method in ALL if method.name not in ACTIONS.get(unit, {})]
    assert not nameless
    gone = {
        (unit, name)
        for unit in tree.rpcs()
        for name in ACTIONS[unit]
        if name not in OWN.get(unit, {}) and name not in {method.name for one, method in ALL if one == unit}
    }
    assert not gone
    texts = [
        *STRANGERS.values(),
        *FINDINGS.values(),
        *(name for names in ACTIONS.values() for name in names.values()),
    ]
    assert not [text for text in texts if re.search("[A-Za-z]", text)]
    print(f"check 74: {len(ALL)} methods with Chinese names")


@pytest.mark.parametrize(("unit", "method"), ALL, ids=[method.full_name for _, method in ALL])
def test_what_changes_something_is_known_by_its_name(unit, method):
    """The door tells reading from changing by the name alone; so the name must say the truth."""
    if method.name.startswith(READING):
        assert "request_id" not in method.input_type.fields_by_name
    elif not method.client_streaming:
        assert "request_id" in method.input_type.fields_by_name or method.full_name in NO_EFFECT


def refusals():
    """The reasons of every refusal that the product raises, with the code that stands beside them on record."""
    kinds = {kind.__name__: kind.code.name for kind in (Forbidden, NotSignedIn)}
    return {
        (node.args[0].value, kinds[node.func.id])
        for module in tree.modules()
        for node in ast.walk(ast.parse(module.path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds
        if node.args and isinstance(node.args[0], ast.Constant)
    }


def test_every_refusal_is_shown_to_the_auditor_as_one():
    """# check 74"""
    found = refusals()
    assert {("NOT_SIGNED_IN", "UNAUTHENTICATED"), ("PEER_NOT_ADMITTED", "PERMISSION_DENIED")} <= found
    assert {kind_of({"result": reason, "code": code}) for reason, code in found} == {"refused"}
    assert not {reason for reason, _ in found} - set(RESULTS), "say in services/audit/words.py what it means"
    print(f"check 74: {len(found)} kinds of refusal, each with Chinese words")
