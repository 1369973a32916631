"""Items as protobuf messages. Nothing is decided here but what the caller may do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tongban.events.v1 import document_pb2
from tongban.knowledge.v1 import knowledge_pb2 as pb

from chassis.directory import Directory
from chassis.identity_types import Principal
from chassis.registry import from_micros
from chassis.search import Hit, Page
from chassis.times import stamp
from services.knowledge import registry
from services.knowledge.model.description import KINDS, UPLOADABLE
from services.knowledge.model.item import Item, Version

_ROW = (
    "title",
    "kind",
    "issuing_unit",
    "issuer",
    "document_number",
    "genre",
    "urgency",
    "level",
    "keeper",
    "state",
    "source",
    "excerpt",
    "created_by",
    "version",
)


def whole(
    item: Item, principal: Principal, directory: Directory, shown: Version | None = None, text: str = ""
) -> pb.Item:
    """Everything about an item, with the content of the version shown (the present one when absent)."""
    shown = shown or item.versions[-1]
    kept = item.kept_by(principal)
    return pb.Item(
        item=item.id,
        etag=str(item.revision),
        title=item.title,
        kind=item.kind,
        kind_label=KINDS.get(item.kind, item.kind),
        issuing_unit=item.issuing_unit,
        issuer=issuer_name(item.issuing_unit, item.issuer, directory),
        document_number=item.document_number,
        genre=item.genre,
        date=stamp(item.date),
        level=item.level,
        urgency=item.urgency,
        readers=item.readers,
        categories=item.categories,
        keeper=item.keeper,
        state=item.state,
        source=item.source,
        source_matter=item.matter,
        excerpt=shown.content.excerpt,
        text=text,
        format=shown.content.format,
        addressees=item.addressees,
        version=shown.number,
        created_by=item.created_by,
        created_at=stamp(item.created_at),
        updated_at=stamp(item.updated_at),
        chosen_units=chosen_units(item, directory),
        may_edit=kept and item.state == "current",
        may_replace=kept and item.source != "documents",
        files=[
            pb.ItemFile(name=one.name, media_type=one.media_type, digest=one.digest, size=one.size)
            for one in shown.content.files
        ],
        course=[
            document_pb2.CourseEntry(
                time=stamp(step.time),
                person=step.person,
                on_behalf_of=step.on_behalf_of,
                unit=step.unit,
                action=step.action,
                opinion=step.opinion,
                outcome=step.outcome,
            )
            for step in item.course
        ],
        versions=[
            pb.ItemVersion(version=one.number, time=stamp(one.at), person=one.by, note=one.note)
            for one in reversed(item.versions)
        ],
    )


def brief(key: str, revision: int, row: Mapping[str, Any], directory: Directory) -> pb.Item:
    """What a list shows, from what the index keeps of an item."""
    item = pb.Item(
        item=key,
        etag=str(revision),
        **{name: row[name] for name in _ROW},
        categories=row["categories"],
        kind_label=KINDS.get(row["kind"], row["kind"]),
        date=stamp(from_micros(row["date"])),
        updated_at=stamp(from_micros(row["updated_at"])),
    )
    item.issuer = issuer_name(row["issuing_unit"], row["issuer"], directory)
    return item


def hit(found: Hit, directory: Directory) -> pb.Hit:
    """One hit with what is to be highlighted."""
    return pb.Hit(
        item=brief(found.id, found.revision, found.stored["row"], directory),
        snippets=[
            pb.Snippet(
                field=name,
                text=one.text,
                ranges=[pb.Range(start=start, end=end) for start, end in one.ranges],
            )
            for name, one in found.snippets.items()
        ],
    )


def facets(page: Page, directory: Directory) -> list[pb.Facet]:
    """The counts of a page with their names for people."""
    label: dict[str, Callable[[str], str]] = {
        "kind": lambda value: KINDS.get(value, value),
        "year": lambda value: f"{value}年",
        "issuer": lambda value: value[1:] if value.startswith("=") else directory.unit_name(value),
        "category": lambda value: value,
    }
    made = []
    for name in registry.FACETS:
        values = page.facets.get(name, [])
        if name == "year":
            values = sorted(values, reverse=True)
        made.append(
            pb.Facet(
                field=name,
                values=[
                    pb.FacetValue(value=value, label=label[name](value), count=count)
                    for value, count in values
                ],
            )
        )
    return made


def kinds() -> list[pb.Kind]:
    """All kinds in their order."""
    return [pb.Kind(kind=kind, label=label, uploadable=kind in UPLOADABLE) for kind, label in KINDS.items()]


def chosen_units(item: Item, directory: Directory) -> list[str]:
    """The units among the readers, but for the keeper and divisions of an organisation that reads anyway."""
    units = [token[2:] for token in item.readers if token.startswith("u:") and token.count(":") == 1]
    return [
        unit
        for unit in units
        if unit != item.keeper
        and not any(above.unit != unit and above.unit in units for above in directory.upward(unit))
    ]


def issuer_name(unit: str, name: str, directory: Directory) -> str:
    """Who issued it, for people."""
    return directory.unit_name(unit) if unit else name
