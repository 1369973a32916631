"""What the auditor finds: which of three kinds a record is of, and in which words. # check 74"""

from __future__ import annotations

import pytest
from tongban.events.v1 import audit_pb2 as pb

from services.audit.keeper import told
from services.audit.registry import entry, kind_of
from services.audit.words import result_zh


@pytest.mark.parametrize(
    ("result", "code", "kind"),
    [
        ("OK", "", "good"),
        ("QUITE_NEW", "PERMISSION_DENIED", "refused"),
        ("user_not_found", "UNAUTHENTICATED", "refused"),
        ("TOO_OFTEN", "RESOURCE_EXHAUSTED", "refused"),
        ("INVALID_INPUT", "INVALID_ARGUMENT", "failed"),
        ("IDLE", "", "failed"),
        # As records stand in the chain from before they held the code.
        ("PEER_NOT_ADMITTED", "", "refused"),
        ("LOGIN_REFUSED", "", "refused"),
    ],
)
def test_a_record_is_of_the_kind_that_its_code_says(result, code, kind):
    record = told(pb.AuditRecord(id="a.1", action="SignOffDocument", result=result, code=code))
    assert kind_of(record) == kind
    assert entry(1, record).values["result"] == [kind, result]


def test_a_result_without_words_of_its_own_is_named_by_its_kind():
    assert [result_zh("QUITE_NEW", kind) for kind in ("refused", "failed")] == ["被拒绝", "未成功"]
    assert result_zh("PEER_NOT_ADMITTED", "refused") == "调用方未获准"
