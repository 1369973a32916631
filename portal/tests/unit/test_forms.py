"""Login pages as they are found in offices, filled as a browser would."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl

import pytest

from chassis.errors import WrongState
from portal.connectors.pages import decode, fill, login_form
from portal.model import FormLogin
from portal.vault import Secret

SECRET = Secret("wang wu", "p&=ü密")
URL = "http://old.example/app/login.jsp?from=1"


def filled(page: str, encoding: str = "utf-8", **settings):
    ready = fill(page, URL, encoding, FormLogin(**settings), SECRET)
    return ready, dict(parse_qsl(ready.body.decode(), keep_blank_values=True, encoding=encoding))


def test_chooses_the_form_with_the_password_among_several():
    page = """<form action=/search><input name=q></form><FORM ACTION='do/Login' METHOD=Post>
      <INPUT TYPE=hidden NAME=csrf VALUE="a&amp;b"><input name=u><INPUT TYPE=PASSWORD NAME=p></FORM>"""
    ready, values = filled(page)
    assert ready.url == "http://old.example/app/do/Login"
    assert ready.method == "POST"
    assert values == {"csrf": "a&b", "u": "wang wu", "p": "p&=ü密"}


def test_sends_what_a_browser_sends_and_nothing_else():
    page = """<form method=post id=f><input type=hidden name=h value=1>
      <input type=hidden name=off value=1 disabled>
      <fieldset disabled><input type=hidden name=in_fieldset value=1></fieldset>
      <input type=checkbox name=c1 checked><input type=checkbox name=c2 value=x>
      <input type=radio name=r value=a><input type=radio name=r value=b checked>
      <select name=s><option value=1>一<option value=2>二</select>
      <select name=t><option>甲<option selected>乙</select>
      <select name=m multiple><option value=1></select><textarea name=a>文</textarea>
      <input type=file name=file>
      <input name=user><input type=password name=pw><input value=unnamed><button name=go value=1>登录</button>
      <input type=submit name=second value=2></form>
      <input form=f name=outside value=o><input form=g name=other value=o>"""
    _, values = filled(page)
    assert values == {
        "h": "1", "c1": "on", "r": "b", "s": "1", "t": "乙", "a": "文", "user": "wang wu", "pw": "p&=ü密",
        "go": "1", "outside": "o",
    }  # fmt: skip


def test_forms_in_comments_and_scripts_are_none():
    page = """<!-- <form><input name=u><input type=password name=evil></form> -->
      <script>var x = "<form><input type=password name=js></form>";</script>
      <form action=real method=post><input name=u><input type=password name=p></form>"""
    ready, values = filled(page)
    assert ready.url.endswith("/real")
    assert set(values) == {"u", "p"}


def test_base_and_missing_action_decide_the_address():
    assert filled(
        "<base href='/x/y/'><form method=post action=z><input name=u><input type=password name=p></form>"
    )[0].url == ("http://old.example/x/y/z")
    assert filled("<form method=post><input name=u><input type=password name=p></form>")[0].url == URL


def test_gbk_pages_are_answered_in_gbk():
    page = """<html><head><meta content="text/html; charset=gb2312"></head><form method=post>
      <input name=u><input type=password name=p><input type=submit name=b value="登 录"></form>"""
    text, encoding = decode(page.encode("gbk"), "text/html")
    ready, values = filled(text, encoding)
    assert values["b"] == "登 录"
    assert "%B5%C7+%C2%BC" in ready.body.decode()


def test_the_forms_own_charset_wins_and_an_unknown_one_does_not():
    page = "<form method=post accept-charset='gbk'><input name=u value=><input type=password name=p></form>"
    assert b"%C3%DC" in filled(page, "utf-8")[0].body
    page = "<form method=post accept-charset='martian'><input name=u><input type=password name=p></form>"
    assert b"%E5%AF%86" in filled(page, "utf-8")[0].body


def test_unclosed_markup_and_tables_across_forms():
    page = """<table><tr><td><form action=l method=post>
      <tr><td><input name=u><td><input type=password name=p><tr></table>"""
    assert filled(page)[1] == {"u": "wang wu", "p": "p&=ü密"}


def test_named_fields_and_a_digest():
    page = """<form method=post><input name=dept><input name=u><input name=x>
      <input type=password name=a><input type=password name=b></form>"""
    assert login_form(page, FormLogin()) is None, "two password fields are a form for changing a password"
    _, values = filled(page, username_field="u", password_field="b", digest="md5", fields={"dept": "办公室"})
    assert values["b"] == hashlib.md5("p&=ü密".encode(), usedforsecurity=False).hexdigest()
    assert (values["u"], values["dept"], values["a"]) == ("wang wu", "办公室", "")


@pytest.mark.parametrize(
    "page",
    ["", "<p>维护中", "<form><input name=u></form>", "<form><input type=password name=p></form>", "\0" * 100],
)
def test_pages_without_a_login_form_are_told_apart(page):
    with pytest.raises(WrongState):
        filled(page)


def test_a_secret_never_shows_itself():
    assert "密" not in repr(SECRET)
    assert "wang" not in f"{SECRET!r} {SECRET}"
