"""Every template of every service calls the kit as it is, and holds nothing that the CSP would refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import nodes
from jinja2.runtime import Macro

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted(
    path
    for folder in ("services", "portal", "chassis/web/gallery_templates")
    for path in (ROOT / folder).rglob("*.html")
    if "templates" in path.parent.parts or "gallery_templates" in path.parts
)
INLINE = re.compile(r"<[a-z][^>{]*\s(?:style|on[a-z]+)=|<script(?![^>]*\ssrc=)|<style\b")


@pytest.fixture(scope="module")
def kit(app):
    module = app.jinja_env.get_template("kit.html").module
    return {name: macro for name, macro in vars(module).items() if isinstance(macro, Macro)}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_uses_the_kit_rightly(app, kit, path):
    source = path.read_text()
    problems = [
        f"line {source[: found.start()].count(chr(10)) + 1}: inline code" for found in INLINE.finditer(source)
    ]
    for call in app.jinja_env.parse(source).find_all(nodes.Call):
        target = call.node
        if not (
            isinstance(target, nodes.Getattr)
            and isinstance(target.node, nodes.Name)
            and target.node.name == "ui"
        ):
            continue
        macro = kit.get(target.attr)
        if macro is None:
            problems.append(f"line {call.lineno}: the kit has no {target.attr}")
            continue
        wrong = [given.key for given in call.kwargs if given.key not in macro.arguments]
        problems += [f"line {call.lineno}: {target.attr} takes no {name}" for name in wrong]
        if len(call.args) > len(macro.arguments):
            problems.append(
                f"line {call.lineno}: {target.attr} takes at most {len(macro.arguments)} arguments"
            )
    assert not problems, problems
