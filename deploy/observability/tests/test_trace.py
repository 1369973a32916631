"""The lines of one request out of many logs."""

import json

from deploy.observability import trace

TRACE, OTHER, REQUEST = "a" * 32, "b" * 32, "0123456789abcdef0123456789abcdef"


def written(var, name, *lines):
    path = var / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))


def test_a_request_is_followed_through_all_logs_in_order_of_time(tmp_path):
    stamp = "2026-11-22T20:00:{}Z".format
    written(
        tmp_path, "logs/tasks-work.log",
        {"event": "handled", "timestamp": stamp("02.5"), "trace": TRACE, "request_id": "of-the-event"},
        f"Traceback {TRACE}",
        {"event": "handled", "timestamp": stamp("02.6"), "trace": OTHER, "about": TRACE},
    )  # fmt: skip
    written(
        tmp_path,
        "logs/documents-serve.log",
        {"event": "call", "timestamp": stamp("01.0"), "trace": TRACE, "request_id": REQUEST},
    )
    # The edge writes when it is over: two seconds after the beginning.
    line = {
        "at": 1795377602.0,
        "seconds": 2.0,
        "trace": TRACE,
        "request_id": REQUEST,
        "method": "POST",
        "path": "/x",
    }
    written(tmp_path, "edge/access.log", line)
    for wanted in (TRACE, REQUEST):
        found = trace.find(tmp_path, wanted)
        assert [one.log for one in found] == ["edge", "documents-serve", "tasks-work"]
    assert found[0].words() == "POST seconds=2.0 method=POST path=/x"
    assert trace.find(tmp_path, OTHER)[0].facts["about"] == TRACE
    assert trace.find(tmp_path, "nobody-knows-it") == []
