"""docs/rights.md and portal/rights.json: which role may do what to what; services/audit/actions.json: what each method is called.

`python3 -m tests.rules.rights_table` rewrites all three.

Made of every service's table WHO (rpc.py), of its rights.py (names, and what is decided about the single record), of the roles in
deploy/units.toml and of the portal's table of administration pages; for every unit with a gRPC server in deploy/units.toml whose
code is there. tests/checks/test_rights.py calls every method as every role and compares.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from chassis.words import POSTS, REALM_ROLES
from deploy.local import units
from deploy.local.units import Unit
from portal.pages.rights import MATRIX, PAGES
from tests.rules import tree

TABLE = tree.ROOT / "docs" / "rights.md"
ACTIONS = tree.ROOT / "services" / "audit" / "actions.json"  # not imported from there: it is read at import
PEOPLE = {**POSTS, **REALM_ROLES}
YES, NO = "●", "–"
HEAD = """# Rights

Who may do what: made by `python3 -m tests.rules.rights_table` from every service's `WHO` and `rights.py`, never written by hand.
`tests/checks/test_rights.py` calls every method as every role and compares with this page; the tests of check 19 try the single
records. A method that is missing here is refused, whoever calls. Nobody holds two of the last three roles, or one beside a post:
a token that says so opens nothing.

●: the method is open to this role. 条件: whose it must be, which the service decides about each record (`access_*`).
"""


@dataclass(frozen=True)
class Row:
    """One method. names: the callers of the table; callers: the roles of people that come from them; services: who else."""

    method: str
    object: str
    action: str
    whose: str
    names: list[str]
    callers: list[str]
    services: list[str]


def listed() -> list[Unit]:
    """The units whose methods stand in the matrix."""
    return [unit for unit in units.load(tree.ROOT) if unit.grpc and unit.exists(tree.ROOT)]


def who(unit: Unit) -> dict[str, frozenset[str]]:
    """The unit's table of who may call what."""
    return dict(importlib.import_module(f"{unit.module}.rpc").WHO)


def said(unit: Unit) -> dict[str, tuple[str, str, str]]:
    """What the unit's rights.py says: method → (object, action, whose)."""
    return dict(importlib.import_module(f"{unit.module}.rights").RIGHTS)


def rows(unit: Unit) -> list[Row]:
    """The unit's lines, in the order of its rights.py."""
    table, found = who(unit), []
    for method, words in said(unit).items():
        names = sorted(table.get(method, ()), key=lambda name: ([*PEOPLE, name].index(name), name))
        people = [one for one in PEOPLE if one in names or ("person" in names and one in POSTS)]
        services = [_service(name) for name in names if name.startswith("service")]
        plain = [name for name in names if not name.startswith("service")]
        found.append(Row(method, *words, names=plain, callers=people, services=services))
    return found


def _service(name: str) -> str:
    title = {unit.name: unit.title for unit in units.load(tree.ROOT)}
    return "各服务" if name == "service" else f"{title.get(name.partition(':')[2], name)}服务"


def markdown() -> str:
    """docs/rights.md as it must be."""
    out = [HEAD]
    for unit in listed():
        out += [
            f"\n## {unit.title} ({unit.name})\n",
            _line("对象", "操作", "方法", *PEOPLE.values(), "服务", "条件"),
        ]
        out.append(_line("---", "---", "---", *[":-:"] * len(PEOPLE), "---", "---"))
        for row in rows(unit):
            marks = [YES if one in row.callers else NO for one in PEOPLE]
            services = "、".join(row.services) or NO
            out.append(_line(row.object, row.action, f"`{row.method}`", *marks, services, row.whose))
    out += [
        "\n## 页面\n",
        _line("页面", "地址", *PEOPLE.values()),
        _line("---", "---", *[":-:"] * len(PEOPLE)),
    ]
    for title, path, roles in pages():
        out.append(
            _line(title, f"`{path}`" if path else "", *(YES if one in roles else NO for one in PEOPLE))
        )
    return "\n".join(out) + "\n"


def pages() -> list[tuple[str, str, set[str]]]:
    """(title, path, roles) of the units' pages and of the administration's."""
    found: list[tuple[str, str, set[str]]] = [("首页、应用、通讯录", "/", set(PEOPLE))]
    for unit in units.load(tree.ROOT):
        if unit.pages and unit.path != "/" and unit.exists(tree.ROOT):
            roles = set(unit.roles) | (set(POSTS) if "person" in unit.roles else set())
            found.append((unit.title, unit.path, roles))
    return found + [(f"管理：{page.title}", page.path, set(page.roles)) for page in PAGES.values()]


def data() -> dict[str, Any]:
    """portal/rights.json as it must be."""
    return {
        "units": [
            {"unit": unit.name, "title": unit.title, "rows": [asdict(row) for row in rows(unit)]}
            for unit in listed()
        ]
    }


def as_json() -> str:
    """The same as text, a method a line."""
    out = []
    for unit in data()["units"]:
        lines = ",\n".join(f"   {json.dumps(row, ensure_ascii=False)}" for row in unit["rows"])
        head = json.dumps({"unit": unit["unit"], "title": unit["title"]}, ensure_ascii=False)[1:-1]
        out.append(f'  {{{head}, "rows": [\n{lines}]}}')
    return '{"units": [\n' + ",\n".join(out) + "]}\n"


def names() -> str:
    """services/audit/actions.json as it must be: unit → method → what the auditor reads."""
    found = {
        unit.name: {row.method: f"{row.object}：{row.action}" for row in rows(unit)} for unit in listed()
    }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def cells(text: str) -> dict[tuple[str, str], tuple[set[str], str, str]]:
    """What docs/rights.md says: (unit, method) → (roles with a mark, services, whose)."""
    found: dict[tuple[str, str], tuple[set[str], str, str]] = {}
    unit = ""
    for line in text.splitlines():
        if line.startswith("## ") and line.endswith(")"):
            unit = line.rpartition("(")[2].rstrip(")")
        parts = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("|") and len(parts) == 5 + len(PEOPLE) and parts[2].startswith("`"):
            marks = dict(zip(PEOPLE, parts[3 : 3 + len(PEOPLE)], strict=True))
            roles = {one for one, mark in marks.items() if mark == YES}
            found[unit, parts[2].strip("`")] = (roles, parts[-2], parts[-1])
    return found


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def rewrite() -> None:
    """Bring the files up to date."""
    TABLE.write_text(markdown())
    MATRIX.write_text(as_json())
    ACTIONS.write_text(names())


if __name__ == "__main__":
    rewrite()
