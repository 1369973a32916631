"""Which page of the administration is for whom, and what each administrator finds at home.

The table is also part of the matrix of rights (docs/rights.md).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chassis.identity_types import SYSTEM_ROLES, Principal

MATRIX = Path(__file__).parents[1] / "rights.json"
_SYSTEM, _SECURITY = frozenset({"system_administrator"}), frozenset({"security_administrator"})


@dataclass(frozen=True)
class Page:
    """One page or button. With a path it stands among its administrators' work on the home page."""

    title: str
    roles: frozenset[str] = frozenset()
    path: str = ""
    text: str = ""
    icon: str = ""


PAGES = {
    "index": Page("管理首页", SYSTEM_ROLES),
    "system": Page(
        "平台运行状态", _SYSTEM, "/administration/system", "基础服务、进程、积压、备份与证书", "chart"
    ),
    "system_help": Page("运行状态处理办法", _SYSTEM),
    "apps": Page("应用目录", _SYSTEM, "/administration/apps", "登记系统、接入方式与使用范围", "apps"),
    "new_app": Page("登记应用", _SYSTEM),
    "edit_app": Page("修改应用", _SYSTEM),
    "save_app": Page("保存应用", _SYSTEM),
    "remove_app": Page("下线应用", _SYSTEM),
    "test_app": Page("测试接入", _SYSTEM),
    "dead_letters": Page(
        "未送达的事件", _SYSTEM, "/administration/dead-letters", "处理失败的内部消息，可重新投递", "warn"
    ),
    "replay": Page("重新投递", _SYSTEM),
    "people": Page(
        "人员与权限", _SECURITY, "/administration/people", "授予岗位、涉密等级和管理角色", "person"
    ),
    "person": Page("一个账号的权限", _SECURITY),
    "save_person": Page("保存权限", _SECURITY),
    "rights": Page(
        "权限一览", _SECURITY, "/administration/rights", "每一种岗位和角色可以做什么，由系统自动生成", "eye"
    ),
}


def work_of(principal: Principal) -> list[Page]:
    """The pages which are this administrator's work, in the table's order."""
    return [page for page in PAGES.values() if page.path and page.roles & principal.roles]


@cache
def matrix() -> dict[str, Any]:
    """The matrix of rights as `python -m tests.rules.rights_table` has written it out of the services' tables."""
    read: dict[str, Any] = json.loads(MATRIX.read_text(encoding="utf-8"))
    return read
