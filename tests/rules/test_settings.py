"""Every setting that is read stands in the table of docs/operations.md."""

from __future__ import annotations

import re

from tests.rules import tree

# As the environment itself is asked, and by way of chassis.settings or the edge's renderer.
READ = re.compile(
    r"environ(?:\.get\(|\.pop\(|\[)\s*\"TONGBAN_([A-Z_0-9]+)\""
    r"|\b(?:text|number|required|_setting)\((?:env,\s*)?\"([A-Z_0-9]+)\""
)
PER_UNIT = re.compile(r"(GRPC|HTTP|PEERS)_[A-Z_]+")
INVENTED = {"NOTHING"}  # by tests, to be missing


def test_every_setting_is_documented():
    table = (tree.ROOT / "docs" / "operations.md").read_text()
    documented = set(re.findall(r"`TONGBAN_([A-Z_0-9]+(?:<UNIT>)?)", table))
    read = {
        PER_UNIT.sub(r"\1_<UNIT>", hit[1] or hit[2]): tree.short(path)
        for path in tree.files()
        if path.suffix == ".py"
        for hit in READ.finditer(path.read_text())
    }
    assert len(read) > 50
    assert not {name: where for name, where in read.items() if name not in documented | INVENTED}
