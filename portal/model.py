"""The catalogue's record of one system, and the rules about it: who may open it, what makes it acceptable.

No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chassis.aggregate import Aggregate
from chassis.bounds import too_long
from chassis.errors import TongbanError, invalid
from chassis.identity_types import Principal
from portal.connectors.target import Target, parse_target

KINDS = ("bookmark", "header", "form")
PATH, FIELD, VALUE = 500, 100, 200  # characters of a path, of a field's name, of its content
FIELDS = 30
SUCCESSES = ("leaves_login", "cookie", "text", "path")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
_AUDIENCE = re.compile(r"all\Z|p:[0-9a-f-]{36}\Z|u:[a-z0-9-]{1,32}(?::(?:member|registrar|head|leader))?\Z")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")


@dataclass
class FormLogin:
    """How the portal signs in at a system with a login page. Meaning of the fields: apps.proto."""

    login_path: str = "/"
    username_field: str = ""
    password_field: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    body: str = "form"
    digest: str = ""
    success: str = "leaves_login"
    success_value: str = ""
    logout_path: str = ""


@dataclass
class Connector:
    """The way into a system."""

    kind: str
    url: str
    header: str = ""
    header_value: str = "username"
    form: FormLogin = field(default_factory=FormLogin)

    @property
    def target(self) -> Target:
        """The only place that may be contacted for this system."""
        return parse_target(self.url)

    @property
    def start(self) -> str:
        """The start page's path and query."""
        return self.target.path


@dataclass(kw_only=True)
class App(Aggregate):
    """One system of the catalogue; its id is the label of its host."""

    name: str
    icon: str
    description: str
    category: str
    audience: list[str]
    connector: Connector
    probe: str = ""
    order: int = 0
    removed: bool = False

    def refusal(self, principal: Principal) -> str:
        """Why this person may not open the system, in Chinese; '' when nothing speaks against it."""
        if self.removed:
            return "该应用已下线"
        # The three administrators keep the platform; business systems are not theirs, whatever the audience
        # says.
        if not principal.posts:
            return "管理员账号不办理业务"
        if principal.tokens.isdisjoint(self.audience):
            return "您的单位或岗位未获授权，请联系本单位管理员申请"
        return ""

    def check(self) -> None:
        """Raises InvalidInput, one sentence per field, when the record is not acceptable in itself."""
        wrong: dict[str, str] = {}
        if not _ID.match(self.id):
            wrong["app"] = "标识只能使用小写字母、数字和连字符，最长32个字符"
        if not 0 < len(self.name) <= 30:
            wrong["name"] = "请填写名称（不超过30字）"
        wrong |= too_long(
            {
                "description": ("说明", self.description, 200), "category": ("分类", self.category, 20),
                "icon": ("图标", self.icon, 32), "probe": ("探测地址", self.probe, PATH),
            }
        )  # fmt: skip
        if (
            not self.audience
            or len(self.audience) > 200
            or not all(_AUDIENCE.match(one) for one in self.audience)
        ):
            wrong["audience"] = "请至少选择一个使用范围"
        wrong |= _wrong_connector(self.connector) | _too_long(self.connector)
        if self.probe and not _is_path(self.probe):
            wrong["probe"] = "探测地址应以 / 开头"
        if wrong:
            raise invalid(**wrong)


def _too_long(connector: Connector) -> dict[str, str]:
    # Whatever the kind: what is given is kept.
    form = connector.form
    wrong = too_long(
        {
            "connector__url": ("系统地址", connector.url, 2000), "connector__header": ("请求头名称", connector.header, 64),
            "connector__header_value": ("请求头内容", connector.header_value, 64),
            "connector__form__login_path": ("登录页地址", form.login_path, PATH),
            "connector__form__logout_path": ("退出地址", form.logout_path, PATH),
            "connector__form__username_field": ("用户名字段", form.username_field, FIELD),
            "connector__form__password_field": ("密码字段", form.password_field, FIELD),
            "connector__form__body": ("提交方式", form.body, FIELD), "connector__form__digest": ("口令处理方式", form.digest, FIELD),
            "connector__form__success": ("判断方式", form.success, FIELD),
            "connector__form__success_value": ("登录成功的依据", form.success_value, VALUE),
        }
    )  # fmt: skip
    if len(form.fields) > FIELDS:
        wrong["connector__form__fields"] = f"附加字段不能超过{FIELDS}个"
    elif any(len(name) > FIELD or len(value) > VALUE for name, value in form.fields.items()):
        wrong["connector__form__fields"] = f"附加字段的名称不能超过{FIELD}字，内容不能超过{VALUE}字"
    return wrong


def _wrong_connector(connector: Connector) -> dict[str, str]:
    if connector.kind not in KINDS:
        return {"connector__kind": "请选择接入方式"}
    try:
        parse_target(connector.url)
    except TongbanError as problem:
        return {"connector__url": problem.zh}
    if connector.kind == "header":
        return _wrong_header(connector)
    return _wrong_form(connector.form) if connector.kind == "form" else {}


def _wrong_header(connector: Connector) -> dict[str, str]:
    canonical = connector.header.lower()
    if not _HEADER.match(connector.header) or canonical in (
        "host",
        "cookie",
        "authorization",
        "content-length",
    ):
        return {"connector__header": "请填写有效的请求头名称，例如 X-Remote-User"}
    if connector.header_value not in ("username", "person", "name"):
        return {"connector__header_value": "请选择请求头的内容"}
    return {}


def _wrong_form(form: FormLogin) -> dict[str, str]:
    wrong = {}
    if not _is_path(form.login_path):
        wrong["connector__form__login_path"] = "登录页地址应以 / 开头"
    if form.logout_path and not _is_path(form.logout_path):
        wrong["connector__form__logout_path"] = "退出地址应以 / 开头"
    if form.body not in ("form", "json"):
        wrong["connector__form__body"] = "请选择提交方式"
    if form.digest not in ("", "md5", "sha1", "sha256"):
        wrong["connector__form__digest"] = "请选择口令处理方式"
    if form.success not in SUCCESSES or (form.success != "leaves_login" and not form.success_value):
        wrong["connector__form__success"] = "请填写判断登录成功的依据"
    return wrong


def _is_path(text: str) -> bool:
    # Two slashes at the beginning would name another host.
    return (
        text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and " " not in text
    )
