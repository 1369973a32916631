"""Everything that is logged anywhere, with hostile values: one line an event, and nothing that commands a terminal."""

from __future__ import annotations

import ast
import io
import json
import logging
import subprocess
import sys

import pytest

from chassis import context, log
from chassis.identity_types import Principal
from chassis.tests.helpers import ROOT, environment
from tests.rules import tree

EVIL = 'a\r\nb\n\x1b[31mred\x1b[0m\x07\x08\x00\x7f\x85\u2028\u2029\u202e\ud800\\"}{'
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def fields():
    """Every field that a call of a logger names, anywhere in the product."""
    found = set()
    for module in tree.modules():
        for node in ast.walk(ast.parse(module.path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
            ):
                found |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return found - {"exc_info", "extra", "stacklevel", "stack_info"}


@pytest.fixture
def out(monkeypatch):
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stdout", stream)
    log.configure("t\n", "p\r")
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    import structlog

    structlog.reset_defaults()


def test_every_field_is_one_line(out):
    """# check 35"""
    names = fields()
    assert len(names) > 20
    values = [EVIL, [EVIL], {EVIL: EVIL}, ValueError(EVIL), EVIL.encode("utf-8", "surrogatepass")]
    call = context.Call(request_id=EVIL, method=EVIL, principal=Principal(person=EVIL, name=EVIL))
    number = 0
    with context.serving(call):
        for name in sorted(names):
            for value in values:
                log.get("x").info(EVIL, **{name: value})
                number += 1
        try:
            int(EVIL)
        except ValueError:
            log.get("x").exception(EVIL, problem=EVIL)
            number += 1
        # What libraries log, by the standard logger.
        logging.getLogger("library").warning("said %s", EVIL)
        number += 1
    log.flush()
    lines = out.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == number
    for line in lines:
        json.loads(line)
        assert all(sign.isprintable() or sign == "\u202e" for sign in line), line
    print(f"check 35: {len(names)} logged fields x {len(values)} values: {number} events, {number} lines")


def said(out):
    return [json.loads(line)["event"] for line in out.getvalue().splitlines()]


def test_what_informs_waits_and_what_warns_brings_it_along(out, monkeypatch):
    monkeypatch.setattr(log, "HELD", 60)
    log.get("x").info("one")
    log.get("x").info("two")
    log.get("x").warning("three")
    assert said(out) == ["one", "two", "three"]
    log.get("x").info("four")
    logging.getLogger("library").warning("five")
    assert said(out)[3:] == ["four", "five"]


PROGRAM = """
import sys, time
from chassis import log
log.configure("t", "p")
log.get("x").info("soon")
if sys.argv[1] == "stays":
    time.sleep(60)
"""


@pytest.mark.parametrize("then", ["stays", "ends"])
def test_what_informs_comes_by_itself_and_at_the_end(then):
    command = [sys.executable, "-c", PROGRAM, then]
    with subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert json.loads(child.stdout.readline())["event"] == "soon"
        child.kill()
