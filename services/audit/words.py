"""The Chinese names of what is on record: one table of actions for each service. tests/rules asks for every method's name."""

from __future__ import annotations

SERVICES = {
    "gateway": "登录网关", "portal": "门户", "documents": "公文", "meetings": "会议", "tasks": "任务", "knowledge": "知识",
    "audit": "审计", "keycloak": "统一身份认证", "edge": "入口",
}  # fmt: skip

ACTIONS: dict[str, dict[str, str]] = {
    "documents": {
        "CreateDocument": "起草公文", "UpdateDocument": "修改公文", "GetDocument": "查看公文", "ListDocuments": "查看发文列表",
        "ReadBody": "读取正文文件", "AttachFile": "上传附件", "RemoveFile": "删除附件", "ReadFile": "打开文件",
        "SubmitDocument": "送审公文", "ReviewDocument": "审核公文", "ReturnDocument": "退回公文", "SignOffDocument": "签发公文",
        "DispatchDocument": "发出公文", "ConcludeDocument": "办结发文", "WithdrawDocument": "撤回公文", "FindByCode": "扫码查找公文",
        "GetDelivery": "查看收文", "ListDeliveries": "查看收文列表", "SignFor": "签收", "Register": "登记收文",
        "ReturnToSender": "退文", "PassOn": "分送收文", "Handle": "办理收文", "Forward": "转办收文", "SendBack": "退回收文",
        "MarkRead": "标记已阅", "Answer": "答复来文单位", "ConcludeDelivery": "办结收文", "UrgeDelivery": "催办收文",
        "Resend": "重新发送", "AcceptReturn": "接受退文",
    },
    "meetings": {
        "ListRooms": "查看会议室", "SaveRoom": "保存会议室", "GetCalendar": "查看会议日历", "ListAvailability": "查看会议室空闲",
        "ListMeetings": "查看会议列表", "GetMeeting": "查看会议", "CallMeeting": "发出会议通知", "ChangeMeeting": "变更会议",
        "CancelMeeting": "取消会议", "AnswerInvitation": "回复会议通知", "MarkRead": "标记会议已阅", "UrgeReceipts": "催报回执",
    },
    "tasks": {
        "ListTodo": "查看待办", "GetTodoCount": "查看待办数", "ListDone": "查看已办", "ListSent": "查看交办",
        "ListUnitObligations": "查看单位事项", "GetStatistics": "查看单位统计", "GetObligation": "查看事项", "Urge": "催办",
        "CreateTask": "交办任务", "GetTask": "查看任务", "ReportProgress": "报告进展", "CompleteTask": "办结任务",
        "ReturnTask": "退回任务", "SettleReturn": "处理退回", "CancelTask": "撤销任务",
    },
    "knowledge": {
        "SearchItems": "检索知识", "GetItem": "查看知识条目", "ReadItemFile": "打开知识文件", "ListCategories": "查看分类",
        "Suggest": "检索提示", "ListSimilarItems": "查看相似条目", "UploadItem": "上传知识条目", "UpdateItem": "修改知识条目",
        "WithdrawItem": "撤下知识条目", "RestoreItem": "恢复知识条目", "ImportItem": "导入知识条目",
    },
    "portal": {
        "ListDeadLetters": "查看未送达事件", "ReplayDeadLetter": "重新投递事件", "ListReceipts": "查看退出回执",
        "ListApps": "查看应用", "GetApp": "查看应用设置", "SaveApp": "保存应用设置", "RemoveApp": "移除应用", "LaunchApp": "一键进入应用",
        "TestConnector": "测试接入", "GetCredentialState": "查看密码状态", "SaveCredential": "保存应用密码",
        "ForgetCredential": "删除应用密码", "ListUnits": "查看单位", "SearchPeople": "查找人员", "SaveUnits": "保存单位",
        "SavePeople": "保存人员",
    },
    "audit": {
        "SearchEntries": "查询审计记录", "GetEntry": "查看审计记录", "GetChain": "查看审计状态", "StartVerification": "校验审计记录链",
        "ReadEntries": "导出审计记录", "AuditStarted": "审计开始记录", "AuditStopped": "审计停止记录", "Purge": "清理到期审计记录",
    },
    "gateway": {
        "Login": "登录", "LoginRefused": "登录未通过", "Logout": "退出登录", "SessionEnded": "会话结束", "ApiRefused": "接口请求被拒绝",
        "LogoutTokenRefused": "退出通知被拒绝",
    },
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
# What no call is, and any process may record.
COMMON = {"PageRefused": "页面请求被拒绝", "ProxyRefused": "进入老系统被拒绝"}

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
}  # fmt: skip

FINDINGS = {
    "altered": "内容被改动", "missing": "记录缺失（被删除）", "inserted": "多出一条记录（被插入）", "reordered": "顺序被调换",
    "replaced": "记录被整条替换", "unreadable": "记录无法读取", "truncated": "末尾记录缺失（被截断或恢复成旧副本）",
    "checkpoint": "与签名检查点不符", "signature": "检查点签名无效",
}  # fmt: skip


def service_zh(service: str) -> str:
    """A service's name."""
    return SERVICES.get(service, "其他系统") if service else ""


def action_zh(service: str, action: str) -> str:
    """An action's name; where it has none, people still learn that there was one."""
    return ACTIONS.get(service, {}).get(action) or COMMON.get(action) or "其他操作"


def result_zh(result: str) -> str:
    """A result's name."""
    return RESULTS.get(result, "未成功")
