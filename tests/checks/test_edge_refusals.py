"""What the edge refuses by itself is on record like what anybody behind it refuses."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.checks.wire import Wire, statuses
from tests.inprocess import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
# Status → request line's method and path, header lines beside Host, host; %s is the mark by which the record is found.
REFUSED = {
    400: ("GET", "/api/v1/%s", ["Content-Length: -1"], ""),
    403: ("GET", "/id/%s", [], ""),
    405: ("TRACE", "/%s", [], ""),
    413: ("POST", "/api/v1/%s", ["Content-Length: 99999999"], ""),
    421: ("GET", "/%s", [], "elsewhere.example"),
}
WORDS = {
    400: "请求格式不正确",
    403: "无权限",
    405: "请求方式不允许",
    413: "内容超过大小限制",
    421: "域名不属于本平台",
}


def test_a_refusal_of_the_edge_is_one_record_that_the_auditor_finds(stack, browsers):
    """# check 74"""
    marks = {status: f"edge-{status}-{uuid.uuid4().hex}" for status in REFUSED}
    for status, (method, path, lines, host) in REFUSED.items():
        wire = Wire(stack.url, stack.ca)
        head = [f"{method} {path % marks[status]} HTTP/1.1", f"Host: {host or wire.host}", *lines, "Connection: close"]  # fmt: skip
        wire.send("\r\n".join([*head, "", ""]).encode())
        assert statuses(wire.all()) == [status]
        wire.close()
    auditor = browsers("auditor")

    def rows(status):
        page = auditor.get("/audit/", params={"service": "edge", "q": marks[status]})
        assert page.status_code == 200
        return re.findall(r"<tr\b.*?</tr>", page.text.partition("<tbody")[2], re.DOTALL)

    for status, word in WORDS.items():
        (row,) = eventually(lambda status=status: rows(status), 20)
        assert word in row
        assert "请求被入口拒绝" in row
        assert "127.0.0.1" in row
    print(f"check 74: {len(REFUSED)} kinds of refusals by the edge itself, each 1 record")
