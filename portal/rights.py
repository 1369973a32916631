"""What this service's methods are called in the matrix of rights, and what is decided about the single record beyond the table WHO.

method: (object, action, whose it must be). docs/rights.md is made of this and of WHO. Data only.
"""

from __future__ import annotations

RIGHTS = {
    "ListUnits": ("通讯录", "查看单位", ""),
    "SearchPeople": ("通讯录", "查找人员", ""),
    "SaveUnits": ("通讯录", "维护单位", ""),
    "SavePeople": ("通讯录", "维护账号", "新账号没有任何权限；不能变更自己的账号"),
    "SaveRights": (
        "通讯录",
        "授予岗位、密级和管理角色",
        "一个账号只能有一种管理角色，且不能兼有岗位；不能变更自己的权限",
    ),
    "ListApps": ("应用", "查看应用目录", ""),
    "GetApp": ("应用", "查看应用", "接入设置只对系统管理员显示"),
    "SaveApp": ("应用", "登记、修改应用", ""),
    "RemoveApp": ("应用", "下线应用", ""),
    "LaunchApp": ("应用", "一键进入", "应用的使用范围；管理员不能进入业务系统"),
    "TestConnector": ("应用", "测试接入", "应用的使用范围；系统管理员可以测试全部"),
    "GetCredentialState": ("本人密码", "查看保存状态", "仅本人的"),
    "SaveCredential": ("本人密码", "保存密码", "仅本人的"),
    "ForgetCredential": ("本人密码", "删除密码", "仅本人的"),
    "ListDeadLetters": ("运行维护", "查看未送达的事件", ""),
    "ReplayDeadLetter": ("运行维护", "重新投递", ""),
    "GetSystemState": ("运行维护", "查看平台运行状态", ""),
    "ListReceipts": ("退出回执", "查看退出回执", "凭本次登录的回执编号"),
}
