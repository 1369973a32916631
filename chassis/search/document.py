"""How an entry becomes a document of the engine, and what of it comes back."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import tantivy

from chassis.search import text
from chassis.search.errors import InvalidEntry
from chassis.search.schema import FOR_EVER, LEVELS, LIVE, NO_DATE, Entry, Schema

KEY_LENGTH = 1_000
"""Ids, keywords and reader tokens are at most this long, in characters."""


def register(index: tantivy.Index) -> tantivy.Index:
    """Teach an opened index the tokens of `text.stream`; a dropped break token leaves its position empty."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    index.register_tokenizer("tokens", builder.filter(tantivy.Filter.custom_stopword([text.BREAK])).build())
    return index


def tie(entry_id: str) -> int:
    """Give the number that orders entries of one date: a 62-bit digest of the id, equal in every replica."""
    return int.from_bytes(hashlib.blake2b(entry_id.encode(), digest_size=8).digest(), "big") >> 2


def tombstone(entry_id: str, revision: int) -> tantivy.Document:
    """Make the document that keeps a deleted entry's revision; it has no rights, so no search can meet it."""
    document = tantivy.Document()
    document.add_text("id", entry_id)
    document.add_integer("revision", revision)
    document.add_integer("_gone", 1)
    return document


def document(schema: Schema, entry: Entry) -> tantivy.Document:
    """Make the engine's document of an entry, or raise `InvalidEntry`.

    Reader tokens and level become one term each, "token@level": a reader's rights are then a union of a few
    terms that name exactly what that reader may see, so that no second condition can be forgotten.
    """
    made = tantivy.Document()
    made.add_text("id", key(entry.id))
    made.add_integer("revision", _integer("revision", entry.revision, 0, FOR_EVER - 1))
    level = _integer("level", entry.level, 0, LEVELS - 1)
    made.add_integer("level", level)
    made.add_integer("_tie", tie(entry.id))
    if isinstance(entry.readers, str):
        raise InvalidEntry("readers must be a list of tokens")
    for token in {*entry.readers}:
        made.add_text("_rights", f"{key(token)}@{level}")
    made.add_text("_rights", LIVE)
    if unknown := entry.values.keys() - {item.name for item in schema.fields}:
        raise InvalidEntry(f"fields not in the schema: {', '.join(sorted(unknown))}")
    dates = schema.of_kind("date")
    if entry.values.get(dates[0].name) is None:
        raise InvalidEntry(f"{entry.id!r} lacks {dates[0].name}, which orders lists")
    texts = _add_values(made, schema, entry.values)
    stored = {name: entry.values.get(name) for name in (item.name for item in schema.of_kind("stored"))}
    title = next(iter(texts.values()), "")
    present = {name: value for name, value in stored.items() if value is not None}
    made.add_bytes("_record", _pack(Record(entry.id, entry.revision, title, present)))
    made.add_bytes("_text", _pack(texts))
    return made


def _add_values(made: tantivy.Document, schema: Schema, values: Mapping[str, Any]) -> dict[str, str]:
    """Add what is searched, and give the texts as they are to be shown."""
    texts: dict[str, str] = {}
    for item in schema.fields:
        value = values.get(item.name)
        if item.kind == "date":
            made.add_integer(
                item.name, NO_DATE if value is None else _integer(item.name, value, -(2**61), NO_DATE - 1)
            )
        elif value is None:
            continue
        elif item.kind == "text":
            content = "\n".join(_strings(item.name, value))
            texts[item.name] = content
            folded = text.fold(content).text
            made.add_text(item.name, text.stream(folded))
            made.add_text("_words", " ".join(text.words(folded)))
        elif item.kind == "keyword":
            for keyword in filter(None, _strings(item.name, value)):
                made.add_text(item.name, key(keyword))
        elif item.kind == "number":
            made.add_integer(item.name, _integer(item.name, value, -(2**62), 2**62))
    return texts


class Record(NamedTuple):
    """What a document keeps to be shown."""

    id: str
    revision: int
    title: str
    stored: dict[str, Any]


def unpack(found: tantivy.Document) -> Record:
    """Give back what `document` put aside."""
    return Record(*json.loads(bytes(found["_record"][0]).decode("utf-8", "surrogatepass")))


def unpack_text(found: tantivy.Document) -> dict[str, str]:
    """Give back the text fields. They are kept apart because a list without words does not need them."""
    texts: dict[str, str] = json.loads(bytes(found["_text"][0]).decode("utf-8", "surrogatepass"))
    return texts


def key(value: object) -> str:
    """Check something that is matched exactly."""
    if not isinstance(value, str) or not 0 < len(value) <= KEY_LENGTH:
        raise InvalidEntry(f"not a string of 1 to {KEY_LENGTH} characters: {value!r:.100}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidEntry(f"not valid Unicode: {value!r:.100}") from error
    return value


def _integer(name: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidEntry(f"{name} must be an integer from {least} to {most}: {value!r:.100}")
    return value


def _strings(name: str, value: object) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple | set | frozenset) or not all(
        isinstance(item, str) for item in values
    ):
        raise InvalidEntry(f"{name} must be a string or a collection of strings: {value!r:.100}")
    return list(values)


def _pack(content: object) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
            "utf-8", "surrogatepass"
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEntry(f"stored values are not JSON: {error}") from error
