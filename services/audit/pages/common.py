"""What the pages of this service share."""

from __future__ import annotations

from typing import Any

from flask import g
from google.protobuf.timestamp_pb2 import Timestamp
from tongban.audit.v1 import audit_pb2_grpc

from chassis import units
from chassis.client import Client
from chassis.errors import forbidden
from chassis.web.filters import local

audit = Client("audit", audit_pb2_grpc.AuditServiceStub)
RESULTS = {"good": "成功", "refused": "被拒绝", "failed": "未成功"}
TONES = {"good": "good", "refused": "bad", "failed": "warn"}
# What the details of a record are called; what is not named here is shown to nobody as a bare word.
DETAILS = {
    "count": "次数", "why": "原因", "client": "登录客户端", "credential": "凭据类型", "resource": "对象类型",
    "after": "上次记录时间", "head": "链末编号", "before": "清理此日之前", "upto": "清理至编号", "lines": "校验条数", "cut_bytes": "截去字节",
    "asked_words": "查询词", "asked_person": "查询人员", "asked_unit": "查询单位", "asked_service": "查询系统",
    "asked_action": "查询操作", "asked_result": "查询结果", "asked_object": "查询对象",
}  # fmt: skip


RESOURCES = {
    "USER": "用户", "GROUP": "单位组", "GROUP_MEMBERSHIP": "单位成员", "REALM_ROLE": "角色", "REALM_ROLE_MAPPING": "角色授予",
    "CLIENT_ROLE_MAPPING": "管理权限授予", "CLIENT": "客户端", "REALM": "认证域", "PROTOCOL_MAPPER": "令牌内容", "CLIENT_SCOPE": "令牌范围",
    "CLIENT_SCOPE_MAPPING": "令牌范围", "USER_PROFILE": "用户属性", "COMPONENT": "组件", "USER_SESSION": "登录会话",
}  # fmt: skip


def only_auditors() -> None:
    """Nobody else sees these pages at all; the service refuses them, too."""
    if "auditor" not in g.principal.roles:
        raise forbidden("审计记录仅供审计员查看。")


def exact(value: Timestamp) -> str:
    """2026年11月22日 09:12:05."""
    moment = local(value)
    return f"{moment:%Y年%-m月%-d日 %H:%M:%S}" if moment else ""


def services() -> dict[str, str]:
    """Whose records there are, for the filter: the units that serve, the gateway, and who is no unit of ours."""
    listed = {unit.name: unit.title for unit in units.every() if unit.grpc or unit.name == "gateway"}
    return listed | {"keycloak": "统一身份认证", "edge": "入口"}


def words() -> dict[str, Any]:
    """The words of the templates."""
    return {
        "services": services(),
        "results": RESULTS,
        "tones": TONES,
        "detail_names": DETAILS,
        "resource_names": RESOURCES,
    }
