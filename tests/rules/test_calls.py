"""Who calls whom stands in deploy/units.toml, and the code calls nobody else."""

from __future__ import annotations

import ast

from deploy.local import units
from tests.rules import tree


def called(module):
    """The units for which a module makes a client."""
    for node in ast.walk(ast.parse(module.path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Client"
            and node.args
        ):
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def test_a_unit_calls_whom_its_entry_names():
    """# check 18: the table of admitted peers is as narrow as the code."""
    listed = {unit.name: unit for unit in units.load(tree.ROOT)}
    calls = {name: set(unit.calls) for name, unit in listed.items()}
    found = {name: set() for name in listed}
    for module in tree.modules():
        parts = module.path.relative_to(tree.ROOT).parts
        unit = parts[1] if parts[0] == "services" else parts[0]
        if unit in found and not tree.is_test(module.path):
            found[unit] |= set(called(module)) - {unit}
    undeclared = {name: got - calls[name] for name, got in found.items() if units.EVERY not in calls[name]}
    assert not {name: got for name, got in undeclared.items() if got}
    unused = {name: calls[name] - found[name] - {units.EVERY} for name in listed}
    assert not {name: got for name, got in unused.items() if got}, "declared, and called by no code"
    assert found["knowledge"] == {"documents"}, "the search above finds what is known to be there"
    admitted = sum(
        len(units.peers(unit, tuple(listed.values()), demo=False)) for unit in listed.values() if unit.grpc
    )
    print(
        f"check 18: {admitted} pairs of units may speak, of {len(listed) * sum(bool(u.grpc) for u in listed.values())}"
    )
