"""Fields that no caller may set: in every mutating method of every service, and in every form of every page."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message_factory import GetMessageClass

from chassis import client
from chassis.errors import InvalidInput
from gateway import routes, transcode
from tests.rules import tree
from tests.rules.apps import UNITS, application, table

# What the platform decides by itself, in the words of our records and in those of other systems.
PROTECTED = [
    "state", "status", "org", "org_id", "organisation", "issuing_unit", "unit_id", "owner", "owner_id", "drafter", "creator", "created_by",
    "author", "uploader", "role", "roles", "posts", "is_admin", "admin", "acl", "audience", "permissions", "tokens", "version", "versions",
    "revision", "_rev", "_id", "id", "number", "document_number", "incoming_number", "sequence", "created_at", "updated_at", "signed_at",
    "concluded_at", "actions", "course", "items", "progress", "printed", "files", "holder", "person", "on_behalf_of", "actor", "principal",
    "session", "level_override", "clearance_override", "outbox", "schema", "pending",
]  # fmt: skip
# Where a request does carry a name of the list, it is what the method is for; the matrix (check 19) shows who may.
MEANT = {
    ("SaveUnits", "units", "posts"), ("SavePeople", "people", "posts"), ("SavePeople", "people", "person"), ("SavePeople", "people", "roles"),
    ("SaveRights", "rights", "posts"), ("SaveRights", "rights", "roles"),
    ("ReplayDeadLetter", "", "sequence"), ("UpdateItem", "", "document_number"), ("SaveApp", "app", "audience"),
}  # fmt: skip


def writes():
    return [route for route in routes.load().all if route.unsafe]


def places(message, path=()):
    """Every object of a request's JSON, as the path that leads to it."""
    yield path, message
    for field in message.fields:
        inner = field.message_type
        # The entries of a map have names of the caller's choosing: they are no fields.
        if (
            inner is not None
            and inner.file.package.startswith("tongban")
            and not inner.GetOptions().map_entry
            and inner not in [step[1] for step in path]
        ):
            yield from places(inner, (*path, (field, inner)))


def wrapped(path, content):
    for field, _ in reversed(path):
        content = {field.name: [content] if field.is_repeated else content}
    return content


def test_no_field_beside_the_stated_ones_is_taken():
    """# check 20: each name at each place of each request, through the gateway's own reading: 400, or the method's own purpose."""
    tried, taken, meant = 0, [], set()
    for route in writes():
        values = dict.fromkeys((one.field for one in route.template.variables), "1")
        for path, message in places(route.method.input_type):
            for name in PROTECTED:
                tried += 1
                where = (route.method.name, ".".join(field.name for field, _ in path), name)
                if name in message.fields_by_name:
                    meant.add(where)
                    continue
                try:
                    transcode.build(route, values, [], json.dumps(wrapped(path, {name: "leader"})).encode())
                except InvalidInput as refusal:
                    if not any("没有这个字段" in sentence for sentence in refusal.fields.values()):
                        taken.append((where, refusal.zh))
                else:
                    taken.append((where, "taken"))
                try:
                    transcode.build(route, values, [(name, "leader")], b"{}")
                except InvalidInput:
                    continue
                taken.append((where, "taken from the address"))
    assert not taken
    assert meant <= MEANT, meant - MEANT
    print(f"check 20: {len(writes())} mutating methods, {tried} fields beside their own: all 400")


class Recording:
    """Answers every call of a page with an empty message, and keeps what was asked."""

    def __init__(self, patch):
        self.asked = []
        self.methods = {method.name: method for methods in tree.rpcs().values() for method in methods}
        # Not __getattr__: a client keeps the methods that earlier tests have called.
        usual = object.__getattribute__
        patch.setattr(
            client.Client,
            "__getattribute__",
            lambda made, name: self._method(name) if name in self.methods else usual(made, name),
        )

    def _method(self, name):
        method = self.methods[name]

        def call(request, seconds=None):
            sent = [request] if not method.client_streaming else list(request)
            self.asked += [(name, one.SerializeToString(deterministic=True)) for one in sent]
            answer = GetMessageClass(method.output_type)()
            return iter([answer]) if method.server_streaming else answer

        return call


def test_no_field_beside_the_stated_ones_is_taken_from_a_form(monkeypatch):
    """# check 20: every form of every page with and without the names: what the service is asked is the same, byte for byte."""
    forms, asked = 0, 0
    plain = {
        "request_id": "12345678",
        "title": "关于防汛的通知",
        "etag": "3",
        "text": "正文",
        "opinion": "同意",
        "genre": "通知",
    }
    for unit in UNITS:
        with pytest.MonkeyPatch.context() as patch, application(unit) as app:
            recording = Recording(patch)
            browser = app.test_client()
            headers = {"Authorization": "Bearer good", "X-Tongban-Csrf": "c", "X-CSRF-Token": "c"}
            for endpoint, path, methods in table(app):
                if "POST" not in methods:
                    continue
                seen = []
                # Names that a form has itself are compared by leaving them as they are.
                source = read(app, endpoint)
                more = {name: "leader" for name in PROTECTED if f'"{name}"' not in source}
                for form in (plain, {**plain, **more}):
                    recording.asked.clear()
                    answer = browser.post(path, data=form, headers=headers)
                    seen.append((answer.status_code, list(recording.asked)))
                assert seen[0] == seen[1], (unit, path)
                forms, asked = forms + 1, asked + len(seen[0][1])
    assert forms > 30
    assert asked > forms / 2, "the forms asked nobody"
    print(
        f"check 20: {forms} forms, {len(PROTECTED)} fields beside their own: {asked} calls, equal byte for byte"
    )


def read(app, endpoint):
    """The source of the module of a view: the names that its forms have."""
    import inspect

    return inspect.getsource(inspect.getmodule(app.view_functions[endpoint]))
