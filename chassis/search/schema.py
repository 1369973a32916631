"""What an index holds: the declarative schema, entries, and how an entry becomes the engine's document."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import tantivy

from chassis.search import text

LAYOUT = 1
"""Raise this whenever documents are laid out differently: it is part of the schema's digest."""

LEVELS = 10
"""Classification levels run from 0 (public) to LEVELS - 1."""

NO_DATE = 2**62
"""What stands for a date that an entry lacks: the latest, so that "due soonest first" ends with it."""

FOR_EVER = 2**62
"""The revision of a deletion that no put may ever undo."""

LIVE = "live"
"""The term in `_rights` by which maintenance finds every entry; the others all contain an @."""

_RESERVED = ("id", "revision", "readers", "level")


@dataclass(frozen=True)
class Field:
    """One field of a schema.

    text: searched by words, ranks with `boost`, shown in snippets; a string or a list of strings.
    keyword: matched exactly, can be counted as a facet; a string or a list of strings, of which empty ones
    count as absent.
    date: an integer of microseconds since 1970 UTC; filters by range and orders lists.
    number: an integer; filters by value and by range.
    stored: any JSON value, given back with each hit, not searched.
    """

    name: str
    kind: Literal["text", "keyword", "date", "number", "stored"]
    boost: float = 1.0


@dataclass(frozen=True)
class Schema:
    """The fields besides `id`, `revision`, `readers` and `level`, which every entry has.

    The first date field orders lists and is compulsory in each entry; the first text field is the title,
    which suggestions come from. `version` is the service's own: raise it when entries are derived
    differently from records.
    """

    fields: tuple[Field, ...]
    version: int = 1
    kinds: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kinds = {item.name: item.kind for item in self.fields}
        if len(kinds) != len(self.fields) or any(
            name in _RESERVED or not name.isidentifier() or name[0] == "_" for name in kinds
        ):
            raise ValueError(
                "field names must be distinct identifiers, not reserved, not starting with an underscore"
            )
        if "date" not in kinds.values():
            raise ValueError("a schema needs a date field, because lists are ordered by date")
        object.__setattr__(self, "kinds", kinds | {"level": "number", "id": "keyword"})

    def of_kind(self, kind: str) -> list[Field]:
        """Give the declared fields of one kind, in order."""
        return [item for item in self.fields if item.kind == kind]

    @property
    def digest(self) -> str:
        """Name all that a stored index depends on; kept in the folder, and compared when it is opened."""
        parts = [LAYOUT, text.VERSION, self.version, [asdict(item) for item in self.fields]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def build(self) -> tantivy.Schema:
        """Make the engine's schema."""
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
        builder.add_text_field("_rights", tokenizer_name="raw", index_option="basic")
        for name in ("revision", "level", "_tie", "_gone"):
            builder.add_integer_field(name, indexed=True, fast=True)
        builder.add_bytes_field("_record", stored=True)
        builder.add_bytes_field("_text", stored=True)
        builder.add_text_field("_words", tokenizer_name="tokens", index_option="freq")
        for item in self.fields:
            if item.kind == "text":
                builder.add_text_field(item.name, tokenizer_name="tokens", index_option="position")
            elif item.kind == "keyword":
                builder.add_text_field(item.name, fast=True, tokenizer_name="raw", index_option="basic")
            elif item.kind in ("date", "number"):
                builder.add_integer_field(item.name, indexed=True, fast=True)
        return builder.build()


@dataclass(frozen=True)
class Entry:
    """One record as the index knows it.

    readers: who may find it, as tokens such as "all", "u:<unit>", "p:<person>"; nobody when empty.
    level: its classification, 0 to 9. values: field name → value, as `Field` describes; absent and None are
    alike.
    """

    id: str
    revision: int
    readers: Sequence[str]
    level: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
