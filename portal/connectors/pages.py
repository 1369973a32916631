"""Reading login pages as they are: find the form, fill it as a browser would.

Pure functions over text; nothing is fetched.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin

from bs4 import BeautifulSoup, Tag

from chassis.errors import WrongState
from portal.model import FormLogin
from portal.vault import Secret

LARGEST = 2 << 20
_SKIPPED = frozenset({"submit", "reset", "button", "image", "file"})


@dataclass(frozen=True)
class Filled:
    """A form ready to be sent.

    Absolute address, method, body with its content type (for GET the body is the query).
    """

    url: str
    method: str
    body: bytes
    content_type: str


def decode(data: bytes, content_type: str) -> tuple[str, str]:
    """The text of a page and its encoding.

    The header's, the page's own, else UTF-8 if it fits, else GB18030.
    """
    named = re.search(r"charset=[\"']?([\w-]+)", content_type, re.IGNORECASE)
    if named is None:
        head = data[:4096].decode("ascii", "replace")
        named = re.search(r"<meta[^>]+charset=[\"']?([\w-]+)", head, re.IGNORECASE)
    encoding = _known(named.group(1)) if named else ""
    if not encoding:
        try:
            return data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            encoding = "gb18030"
    return data.decode(encoding, "replace"), encoding


def _known(name: str) -> str:
    # Pages that call themselves GB2312 hold characters of GBK, as every browser knows.
    if name.lower() in ("gb2312", "gbk", "x-gbk", "gb_2312-80"):
        return "gb18030"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""


def login_form(text: str, settings: FormLogin) -> Tag | None:
    """The login form of a page: the one with the password field (the named one, if a name is set).

    None when there is none.
    """
    soup = BeautifulSoup(text, "lxml")
    for form in soup.find_all("form"):
        if _password_field(form, settings) is not None:
            return form
    return None


def fill(text: str, page_url: str, encoding: str, settings: FormLogin, secret: Secret) -> Filled:
    """The login form with the person's credential in it, and everything a browser would send along.

    Raises WrongState when the page has no such form.
    """
    form = login_form(text, settings)
    if form is None:
        raise WrongState(
            "NO_LOGIN_FORM",
            "登录页面上没有找到登录表单，请联系系统管理员检查接入设置。",
            "No login form found.",
        )
    password = _password_field(form, settings)
    username = _username_field(form, password, settings)
    if password is None or username is None:
        raise WrongState(
            "NO_LOGIN_FORM", "登录表单中没有找到用户名或密码栏。", "No field for the name or the password."
        )
    values = [pair for pair in _values(form) if pair[0] not in {username, password["name"], *settings.fields}]
    values += [
        (username, secret.username),
        (str(password["name"]), digested(secret.password, settings.digest)),
    ]
    values += list(settings.fields.items())
    base = form.find_previous("base", href=True)
    url = urljoin(
        urljoin(page_url, str(base["href"])) if base else page_url,
        str(form.get("action") or page_url).strip(),
    )
    charset = _known(str(form.get("accept-charset", "")).split(",")[0].strip() or encoding) or encoding
    body = urlencode(values, encoding=charset, errors="xmlcharrefreplace").encode("ascii")
    method = "GET" if str(form.get("method", "")).strip().lower() == "get" else "POST"
    return Filled(url, method, body, "application/x-www-form-urlencoded")


def digested(password: str, digest: str) -> str:
    """What the login page's script would make of the password."""
    if not digest:
        return password
    return hashlib.new(digest, password.encode(), usedforsecurity=False).hexdigest()


def visible_text(text: str) -> str:
    """The words of a page without markup, in one line."""
    return " ".join(BeautifulSoup(text, "lxml").get_text(" ").split())


def _fields(form: Tag) -> list[Tag]:
    """The form's fields in document order, with those elsewhere in the page that name it by its id.

    No disabled ones.
    """
    found = [
        field for field in form.find_all(["input", "select", "textarea", "button"]) if not field.get("form")
    ]
    if form.get("id"):
        root = list(form.parents)[-1]
        found += root.find_all(["input", "select", "textarea", "button"], attrs={"form": form["id"]})
    return [field for field in found if field.get("name") and not _disabled(field)]


def _disabled(field: Tag) -> bool:
    return field.has_attr("disabled") or any(
        parent.name == "fieldset" and parent.has_attr("disabled") for parent in field.parents
    )


def _kind(field: Tag) -> str:
    return str(field.get("type", "text")).strip().lower() if field.name == "input" else field.name


def _password_field(form: Tag, settings: FormLogin) -> Tag | None:
    fields = _fields(form)
    if settings.password_field:
        return next((field for field in fields if field["name"] == settings.password_field), None)
    passwords = [field for field in fields if _kind(field) == "password"]
    # Two password fields make a form for changing or choosing one, not for signing in.
    return passwords[0] if len(passwords) == 1 else None


def _username_field(form: Tag, password: Tag | None, settings: FormLogin) -> str | None:
    if settings.username_field:
        return settings.username_field
    last = None
    for field in _fields(form):
        if field is password:
            return last
        if _kind(field) in ("text", "email", "tel", "number"):
            last = str(field["name"])
    return last


def _values(form: Tag) -> list[tuple[str, str]]:
    values: list[tuple[str, str]] = []
    pressed = False
    for field in _fields(form):
        name, kind = str(field["name"]), _kind(field)
        if kind in ("checkbox", "radio"):
            if field.has_attr("checked"):
                values.append((name, str(field.get("value", "on"))))
        elif kind == "select":
            values += [(name, value) for value in _chosen(field)]
        elif kind == "textarea":
            values.append((name, field.get_text()))
        elif kind in ("submit", "button") and not pressed and _presses(field):
            # A browser sends the one button that was pressed; pages check for it.
            pressed = True
            values.append((name, str(field.get("value", ""))))
        elif kind not in _SKIPPED:
            values.append((name, str(field.get("value", ""))))
    return values


def _presses(field: Tag) -> bool:
    return str(field.get("type", "submit" if field.name == "button" else "")).strip().lower() == "submit"


def _chosen(select: Tag) -> list[str]:
    options = select.find_all("option")
    chosen = [option for option in options if option.has_attr("selected")]
    if not chosen and not select.has_attr("multiple"):
        chosen = options[:1]
    return [
        str(option["value"]) if option.has_attr("value") else option.get_text(strip=True) for option in chosen
    ]
