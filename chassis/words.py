"""The office's words that several parts say: posts, administrators, classifications, genres. Whoever shows or checks one takes it from here."""

from __future__ import annotations

# What may be held in a unit: `<unit>:<role>` is a post.
POSTS = {"member": "成员", "registrar": "文书", "head": "部门负责人", "leader": "领导"}
# The three administrators, of whom nobody is two (docs/adr/0025).
REALM_ROLES = {
    "system_administrator": "系统管理员",
    "security_administrator": "安全管理员",
    "auditor": "审计员",
}
# By their numbers, 0 to 3; what is not classified is not marked.
LEVELS = ("", "秘密", "机密", "绝密")
# The fifteen of the 条例 (Art 8), those first that are written most often: in this order they are offered.
GENRES = (
    "通知", "请示", "报告", "函", "纪要", "意见", "决定", "通报", "批复", "公告", "通告", "决议", "公报", "命令", "议案",
)  # fmt: skip


def levels(unmarked: str) -> list[tuple[int, str]]:
    """The classifications to choose from, with the word for what is none."""
    return [(number, word or unmarked) for number, word in enumerate(LEVELS)]
