"""Every macro of the kit renders, escapes what is hostile, and keeps to what the CSP allows."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import g, render_template, render_template_string

from chassis import clock
from chassis.identity_types import Principal
from chassis.web import gallery
from chassis.web.answers import Page
from chassis.web.tests.sample import SIGNED_IN

WEB = Path(__file__).parents[1]
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "input", "img", "br", "hr", "use", "option"}

# One line per macro: how it is called when every text is hostile (x), every address (u), every time (n).
CALLS = {
    "page_header": "ui.page_header(x, subtitle=x, back=u, badges=x)",
    "section": "{% call ui.section(x, id='a', subtitle=x, flush=True) %}{{ x }}{% endcall %}",
    "grid": "{% call ui.grid(3) %}{{ x }}{% endcall %}",
    "icon": "ui.icon(x, x)",
    "notice": "ui.notice(x, 'warn', x)",
    "empty_state": "ui.empty_state('search', x, x, x)",
    "tabs": "ui.tabs([{'key': 'a', 'label': x, 'href': u, 'count': x}], 'a')",
    "error_summary": "ui.error_summary({x: x})",
    "toast_region": "ui.toast_region()",
    "cards": "{% call ui.cards() %}{{ x }}{% endcall %}",
    "card": "ui.card(x, u, x, 'home', x, x)",
    "stats": "{% call ui.stats() %}{{ x }}{% endcall %}",
    "stat": "ui.stat(x, x, u, 'bad', x)",
    "primary_button": "ui.primary_button(x, x, x, 'plus', {'post': u, 'vals': {'a': x}}, x)",
    "button": "ui.button(x, 'danger', x, x, 'plus', dialog=x, confirm=x, formaction=u)",
    "link_button": "ui.link_button(x, u, icon='plus', new_tab=True)",
    "button_row": "{% call ui.button_row() %}{{ x }}{% endcall %}",
    "menu": "ui.menu(x, [{'label': x, 'href': u, 'icon': 'print'}, {'label': x, 'dialog': x}])",
    "dialog": "{% call ui.dialog('d', x, x) %}{{ x }}{% endcall %}",
    "dialog_buttons": "ui.dialog_buttons(x, name=x, value=x)",
    "form_open": "{{ ui.form_open(u, multipart=True, hx={'target': x}, id='i', confirm=x, guard=True) }}{{ ui.form_close() }}",
    "form_close": "{{ ui.form_open('/a', 'get') }}{{ ui.form_close() }}",
    "csrf_fields": "ui.csrf_fields()",
    "hidden": "ui.hidden(x, x)",
    "fields": "{% call ui.fields(x, x) %}{{ x }}{% endcall %}",
    "field_row": "{% call ui.field_row() %}{{ x }}{% endcall %}",
    "field_text": "ui.field_text('a', x, x, True, x, x, placeholder=x, list=[x], autofocus=True, width='short')",
    "field_textarea": "ui.field_textarea('a', x, x, True, x, x, maxlength=9, placeholder=x)",
    "field_select": "ui.field_select('a', x, [x, (x, x), {'label': x, 'options': [x]}], x, True, x, x, empty=x)",
    "field_date": "ui.field_date('a', x, n, True, x, x, min=n)",
    "field_datetime": "ui.field_datetime('a', x, n, True, x, x, max=n)",
    "field_number": "ui.field_number('a', x, 3, True, x, x, min=1, unit=x)",
    "field_file": "ui.field_file('a', x, hint=x, error=x, accept=x, max_size=9, files=[{'name': x, 'size': 3}])",
    "field_check": "ui.field_check('a', x, x, hint=x, error=x, checked=True)",
    "field_checks": "ui.field_checks('a', x, [(x, x, x)], [x], hint=x, error=x)",
    "field_radio": "ui.field_radio('a', x, [(x, x, x)], x, True, x, x)",
    "opinion_box": "ui.opinion_box('a', x, x, [x], True, x, error=x)",
    "people_picker": "ui.people_picker('a', x, ['li', x], x, unit=x, hint=x, error=x)",
    "unit_picker": "ui.unit_picker('a', x, ['zfb', x], x, hint=x, error=x)",
    "pick_results": "{{ ui.pick_results([{'value': x, 'label': x, 'note': x}], x) }}{{ ui.pick_results([], x) }}",
    "badge": "ui.badge('good', x)",
    "status_badge": "{{ ui.status_badge(x) }}{{ ui.status_badge('done') }}",
    "urgency_badge": "ui.urgency_badge(x)",
    "level_badge": "ui.level_badge(2)",
    "due_badge": "ui.due_badge(n)",
    "person_chip": "ui.person_chip(x, x)",
    "progress": "ui.progress(1, 0, x)",
    "bar_list": "{{ ui.bar_list([{'label': x, 'value': 3, 'href': u}]) }}{{ ui.bar_list([]) }}",
    "table": "{% call(row, column) ui.table([{'key': 'a', 'label': x}, {'key': 'b', 'label': x}], [{'a': x, 'b': none, 'id': x, 'href': u, 'tone': 'bad'}], x, 'href', select=x) %}"
    "{% if column.key == 'b' %}{{ x }}{% endif %}{% endcall %}{{ ui.table([{'key': 'a', 'label': 'A'}], []) }}",
    "description_list": "ui.description_list([(x, x), (x, none)])",
    "file_list": "{{ ui.file_list([{'name': x, 'size': 1, 'href': u, 'preview': u, 'note': x, 'time': n}]) }}{{ ui.file_list([]) }}",
    "filters": "ui.filters('/a', x, x, [{'name': 'b', 'label': x, 'options': [x, (x, x)], 'value': x}], keep={'c': x})",
    "pager": "ui.pager(page)",
    "list": "{% call ui.list('i') %}{{ x }}{% endcall %}",
    "list_item": "ui.list_item(x, u, x, x, x, 2, n, True, x, x, n, actions=x)",
    "search_hit": "ui.search_hit(x, u, x, x, x)",
    "stepper": "ui.stepper([{'title': x, 'state': 'done', 'people': [x], 'when': n, 'note': x}, {'title': x, 'state': 'current', 'who': x}])",
    "timeline": "{{ ui.timeline([{'time': n, 'person': x, 'on_behalf_of': x, 'unit': x, 'action': x, 'opinion': x, 'outcome': x}]) }}{{ ui.timeline([]) }}",
}  # fmt: skip


class Checker(HTMLParser):
    """Looks at the elements and attributes which a browser would see."""

    def __init__(self):
        super().__init__()
        self.problems, self.ids, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.problems.append(f"<{tag} {name}>: the CSP refuses it")
            if name in ("href", "src", "action", "formaction") and str(value).strip().lower().startswith(
                "javascript"
            ):
                self.problems.append(f"<{tag} {name}={value}>")
            if name == "id":
                self.ids.append(value)
        if tag == "script" and not dict(attrs).get("src"):
            self.problems.append("an inline script")
        if tag == "img" and dict(attrs).get("src") == "x":
            self.problems.append("a hostile image")

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.problems.append(f"</{tag}> closes nothing")


def check(page):
    checker = Checker()
    checker.feed(page)
    assert not checker.problems, checker.problems
    assert not checker.open, f"never closed: {checker.open}"
    twice = {one for one in checker.ids if checker.ids.count(one) > 1}
    assert not twice, f"ids used twice: {twice}"


def render(app, call, **more):
    source = call if call.lstrip().startswith("{") else "{{ " + call + " }}"
    with app.test_request_context("/documents/", headers=SIGNED_IN):
        page = Page("/documents/?cursor=" + EVIL, "/documents/", 3)
        return render_template_string(
            '{% import "kit.html" as ui %}' + source, n=clock.now(), page=page, **more
        )


@pytest.mark.parametrize("name", CALLS)
def test_a_macro_escapes_hostile_input(app, name):
    check(render(app, CALLS[name], x=EVIL, u="javascript:alert(1)"))


@pytest.mark.parametrize("name", CALLS)
def test_a_macro_shows_what_it_is_given(app, name):
    silent = {
        "toast_region",
        "person_chip",
        "csrf_fields",
        "level_badge",
        "due_badge",
        "pager",
        "form_close",
        "form_open",
    }
    found = render(app, CALLS[name], x="防汛", u="/documents/1")
    check(found)
    assert "防汛" in found or name in silent
    assert found.strip()


def test_every_macro_of_the_kit_is_tested_and_told_in_the_readme(app):
    exported = {
        name for name in app.jinja_env.get_template("kit.html").module.__dict__ if not name.startswith("_")
    }
    parts = {"frame", "buttons", "fieldset", "pickers", "marks", "data", "lists", "course"}
    assert exported - parts == set(CALLS)
    told = set(re.findall(r"`(?:ui\.)?([a-z_]+)\(", (WEB / "README.md").read_text()))
    assert set(CALLS) - told - {"pick_results"} == set()


@pytest.mark.parametrize("path", ["/", "/form", "/missing", "/offline"])
def test_whole_pages_are_well_formed_and_have_no_inline_code(path):
    answer = gallery.application().test_client().get(path)
    check(answer.text)
    assert answer.text.count("<h1") == 1


def test_the_frame_names_the_reader_and_their_posts_in_words(app):
    with app.test_request_context("/documents/", headers=SIGNED_IN):
        g.request_id = "r"
        g.principal = Principal(person="zhang", name=EVIL, posts=("zfb:head",), roles=frozenset({"auditor"}))
        page = render_template("error.html", sentence=EVIL, advice=None, status=400, repeat=None)
    check(page)
    assert "区府办·部门负责人" in page
    assert "审计员" in page
    assert "zfb" not in page


def test_every_text_of_the_kit_has_its_english():
    words = json.loads((WEB / "templates/en.json").read_text())
    used = set()
    for template in (WEB / "templates").rglob("*.html"):
        used |= set(re.findall(r"\bt\(\s*[\"']([^\"']+)[\"']\s*\)", template.read_text()))
    from chassis import words as office
    from chassis.web import names, problems

    for advice in problems._ADVICE.values():
        used |= {advice.title, advice.next_step}
    used |= {
        problems._RELOAD,
        names.GONE_PERSON,
        names.GONE_UNIT,
        *office.POSTS.values(),
        *office.REALM_ROLES.values(),
    }
    assert {text for text in used if text not in words} == set()


def test_icons_that_are_used_exist():
    known = set(re.findall(r'symbol id="(\w+)"', (WEB / "static/icons.svg").read_text()))
    used = set()
    for template in [*WEB.rglob("*.html")]:
        used |= set(re.findall(r"(?:icon|glyph)\(\"(\w+)\"", template.read_text())) | set(
            re.findall(r"icon=[\"'](\w+)", template.read_text())
        )
    from chassis import units
    from chassis.web import problems

    used |= {advice.icon for advice in problems._ADVICE.values()} | {
        unit.icon for unit in units.every() if unit.path
    }
    assert used <= known, used - known


def test_colours_of_text_have_enough_contrast():
    css = (WEB / "static/tongban.css").read_text()
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))
    pairs = [("ink", "ground"), ("ink-2", "ground"), ("ink-3", "ground"), ("ink-3", "surface"), ("ink-3", "hover"), ("blue", "surface"), ("blue", "blue-tint"),
             ("red", "surface"), ("red", "red-tint"), ("amber", "amber-tint"), ("green", "green-tint"), ("violet", "violet-tint"), ("surface", "blue"), ("surface", "red")]  # fmt: skip
    for text, ground in pairs:
        assert _contrast(colour[text], colour[ground]) >= 4.5, (
            text,
            ground,
            _contrast(colour[text], colour[ground]),
        )


def _contrast(one, other):
    def light(value):
        parts = [int(value[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
