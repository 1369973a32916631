"""Forms: what a field shows again after a refusal, how its text is read, the attributes that htmx wants."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from flask import Flask, g, request
from markupsafe import Markup

from chassis.errors import InvalidInput, TongbanError
from chassis.times import SHANGHAI
from chassis.web import filters, guard, language


def form_errors(error: TongbanError | Mapping[str, str]) -> dict[str, str]:
    """Field → message, from an error's field violations or from a dict; {} when there are none.

    Remembered for this request: every `field_*` macro then shows its message and what was posted.
    """
    found = dict(error.fields if isinstance(error, TongbanError) else error)
    if found:
        g.form_errors = found
    return found


def form_request_id() -> str:
    """The form's request id (AIP-155): the same form sent twice is one effect. Fresh when it carries none."""
    text = request.form.get("request_id", "")
    return text if 8 <= len(text) <= 64 else str(uuid.uuid4())


def form_time(name: str) -> datetime | None:
    """The moment typed into `field_datetime` as UTC; None when left empty.

    Raises InvalidInput for what is not a time.
    """
    text = request.form.get(name, "").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise _unreadable(name, "请填写正确的日期和时间。") from problem
    return (moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).astimezone(UTC)


def form_date(name: str) -> date | None:
    """The day typed into `field_date`; None when left empty.

    Raises InvalidInput for what is not a date.
    """
    text = request.form.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise _unreadable(name, "请填写正确的日期。") from problem


def _unreadable(name: str, sentence: str) -> InvalidInput:
    return InvalidInput("INVALID_INPUT", sentence, "Not a date.", {name: sentence})


@dataclass(frozen=True)
class Field:
    """What one field shows: its id, its value or values, its message."""

    id: str
    value: Any
    values: list[Any]
    error: str | None


def field_state(name: str, value: Any, error: str | None, wanted: str | None = None) -> Field:
    """The state of field `name`: after a refusal what was posted wins over what the record holds."""
    errors: dict[str, str] = (g.get("form_errors") or {}) if _is_posted_form() else {}
    if errors:
        posted = request.form.getlist(name)
        # A group of boxes with nothing chosen posts nothing; `_has` tells that from an absent field.
        if posted or name in request.form.getlist("_has"):
            value = posted
    values = as_list(value)
    single = values[0] if values else None
    return Field(_unique_id(wanted or f"f-{name}"), single, values, error or _message(errors, name))


def begin_form(action: str | None) -> str:
    """Remember which form is being written, None for none any more; its key on this page."""
    if action is None:
        g.form_here = None
        return ""
    # Forms with the same action are told apart by their order.
    seen: dict[str, int] = g.setdefault("forms_seen", {})
    seen[action] = seen.get(action, 0) + 1
    key = f"{action}#{seen[action]}"
    g.form_here = key
    return key


def _is_posted_form() -> bool:
    # Another form on the page may have a field of the same name, e.g. the opinion in a dialog.
    here = g.get("form_here")
    return request.method != "GET" and (here is None or request.form.get("_form", here) == here)


def _message(errors: dict[str, str], name: str) -> str | None:
    # A service says `document.title` or `addressees[2]`; the form's field is called `title`, `addressees`.
    for path, sentence in errors.items():
        if name in (path, path.rpartition(".")[2].partition("[")[0], path.partition("[")[0]):
            return sentence
    return None


def as_list(value: Any) -> list[Any]:
    """Nothing, one or several, as a list; a message's repeated field counts as several."""
    if value is None or value == "":
        return []
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _unique_id(wanted: str) -> str:
    # Two dialogs on one page may both ask for an opinion; ids must differ for their labels.
    seen: dict[str, int] = g.setdefault("field_ids", {})
    seen[wanted] = seen.get(wanted, 0) + 1
    return wanted if seen[wanted] == 1 else f"{wanted}-{seen[wanted]}"


def hx_attributes(hx: Mapping[str, Any] | None) -> Markup:
    """{'post': '/x', 'vals': {…}} as hx-post="/x" hx-vals='{…}'."""
    written = [
        Markup(' hx-{}="{}"').format(
            name.replace("_", "-"), json.dumps(value) if isinstance(value, Mapping) else value
        )
        for name, value in (hx or {}).items()
    ]
    return Markup().join(written)


def options(given: Iterable[Any] | None) -> list[dict[str, Any]]:
    """Choices as {value, label, hint} or {label, options}, from values, pairs, triples and dicts."""
    result: list[dict[str, Any]] = []
    for one in given or ():
        if isinstance(one, Mapping):
            group = dict(one)
            if "options" in group:
                group["options"] = options(group["options"])
            result.append(group)
        elif isinstance(one, tuple | list):
            value, label, *hint = one
            result.append({"value": value, "label": language.t(label), "hint": hint[0] if hint else None})
        else:
            result.append({"value": one, "label": language.t(one), "hint": None})
    return result


def form_error_list() -> dict[str, str]:
    """The messages kept by `form_errors`."""
    return g.get("form_errors") or {}


def install(app: Flask) -> None:
    """Make what the kit's form macros need known to templates."""
    app.jinja_env.globals.update(
        csrf_token=guard.csrf_token,
        new_request_id=lambda: str(uuid.uuid4()),
        begin_form=begin_form,
        field_state=field_state,
        hx_attributes=hx_attributes,
        as_options=options,
        form_error_list=form_error_list,
        unique_id=_unique_id,
        as_iso_date=filters.iso_date,
        as_iso_minute=filters.iso_minute,
    )
    app.jinja_env.filters["as_list"] = as_list
