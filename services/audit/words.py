"""The Chinese names of what is on record.

What a method is called stands in its service's rights.py; `python3 -m tests.rules.rights_table` gathers these names in actions.json, since
no service imports another. Here stands what is no method of a service.
"""

from __future__ import annotations

import json
from pathlib import Path

from chassis import units

GATHERED = Path(__file__).with_name("actions.json")
CALLS: dict[str, dict[str, str]] = json.loads(GATHERED.read_text(encoding="utf-8"))
STRANGERS = {"keycloak": "统一身份认证", "edge": "入口"}  # who is no unit of the deployment

OWN: dict[str, dict[str, str]] = {
    "audit": {
        "AuditStarted": "审计开始记录", "AuditStopped": "审计停止记录", "Purge": "清理到期审计记录",
    },
    "gateway": {
        "Login": "登录", "LoginRefused": "登录未通过", "Logout": "退出登录", "SessionEnded": "会话结束", "ApiRefused": "接口请求被拒绝",
        "LogoutTokenRefused": "退出通知被拒绝",
    },
    "edge": {"RequestRefused": "请求被入口拒绝"},
    "keycloak": {
        "LOGIN": "身份认证登录", "LOGIN_ERROR": "身份认证登录失败", "LOGOUT": "身份认证退出", "LOGOUT_ERROR": "身份认证退出失败",
        "CODE_TO_TOKEN_ERROR": "登录凭据兑换失败", "REFRESH_TOKEN_ERROR": "登录续期失败", "CLIENT_LOGIN_ERROR": "服务账号登录失败",
        "UPDATE_PASSWORD": "修改密码", "UPDATE_PASSWORD_ERROR": "修改密码失败", "UPDATE_CREDENTIAL": "修改登录凭据",
        "UPDATE_CREDENTIAL_ERROR": "修改登录凭据失败", "REMOVE_CREDENTIAL": "删除登录凭据", "RESET_PASSWORD": "重置密码",
        "RESET_PASSWORD_ERROR": "重置密码失败", "UPDATE_TOTP": "设置动态口令", "REMOVE_TOTP": "删除动态口令",
        "UPDATE_PROFILE": "修改个人资料", "USER_DISABLED_BY_PERMANENT_LOCKOUT": "账号被锁定",
        "USER_DISABLED_BY_TEMPORARY_LOCKOUT": "账号暂时锁定", "CREATE": "新增（身份认证管理）", "UPDATE": "修改（身份认证管理）",
        "DELETE": "删除（身份认证管理）", "ACTION": "操作（身份认证管理）",
    },
}  # fmt: skip
ACTIONS = {unit: {**CALLS.get(unit, {}), **OWN.get(unit, {})} for unit in {**CALLS, **OWN}}
# What no call is, and any process may record.
COMMON = {"PageRefused": "页面请求被拒绝", "ProxyRefused": "进入老系统被拒绝"}

KINDS = {"good": "成功", "refused": "被拒绝", "failed": "未成功"}
RESULTS = {
    "OK": "成功", "NOT_SIGNED_IN": "未登录", "NOT_YOUR_ROLE": "岗位无权限", "FORBIDDEN": "无权限", "NOT_FOUND": "不存在或无权查看",
    "CSRF": "页面过期或来源不符", "TOO_OFTEN": "操作过于频繁", "INVALID_INPUT": "填写有误", "WRONG_STATE": "状态不允许",
    "CHANGED_MEANWHILE": "内容已被他人修改", "REQUEST_ID_REUSED": "请求编号重复使用", "AUDIT_UNAVAILABLE": "审计不可用，已拒绝",
    "INTERNAL": "系统错误", "UNAVAILABLE": "服务不可用", "TIMED_OUT": "超时", "LOGIN_REFUSED": "登录未通过", "IDLE": "长时间未操作",
    "BY_IDENTITY_PROVIDER": "由统一身份认证结束", "APP_NOT_ALLOWED": "无权进入该应用", "TOO_YOUNG": "未到清理期限",
    "invalid_user_credentials": "用户名或密码错误", "user_not_found": "没有该用户", "user_disabled": "账号已停用",
    "user_temporarily_disabled": "账号暂时锁定", "invalid_code": "登录凭据无效", "expired_code": "登录页面已过期",
    "invalid_token": "令牌无效", "invalid_client_credentials": "服务账号密码错误", "CANCELLED": "已中断",
    "IDENTITY_UNAVAILABLE": "身份认证不可用", "BROKER_UNAVAILABLE": "消息服务不可用", "EXISTS": "已存在",
    "PEER_NOT_ADMITTED": "调用方未获准", "ROLES_MIXED": "三员角色不能并存", "METHOD_REFUSED": "请求方式不允许",
    "FOREIGN_REQUEST": "请求来自其他网站", "TARGET_REFUSED": "地址不允许接入", "FILE_INFECTED": "文件未通过病毒检查",
    "REQUEST_MALFORMED": "请求格式不正确", "TOO_LARGE": "内容超过大小限制", "HOST_UNKNOWN": "域名不属于本平台",
}  # fmt: skip

FINDINGS = {
    "altered": "内容被改动", "missing": "记录缺失（被删除）", "inserted": "多出一条记录（被插入）", "reordered": "顺序被调换",
    "replaced": "记录被整条替换", "unreadable": "记录无法读取", "truncated": "末尾记录缺失（被截断或恢复成旧副本）",
    "checkpoint": "与签名检查点不符", "signature": "检查点签名无效",
}  # fmt: skip


def service_zh(service: str) -> str:
    """A service's name."""
    found = STRANGERS.get(service) or units.title(service)
    return "其他系统" if service and found == service else found


def action_zh(service: str, action: str) -> str:
    """An action's name; where it has none, people still learn that there was one."""
    return ACTIONS.get(service, {}).get(action) or COMMON.get(action) or "其他操作"


def result_zh(result: str, kind: str) -> str:
    """A result's name; where it has none, that of its kind ("good", "refused", "failed")."""
    return RESULTS.get(result) or KINDS[kind]
