"""Where documents, deliveries and number series are kept, and the desk: what every command works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.directory import Directory
from chassis.errors import Exists
from chassis.files import Files
from chassis.parts import Parts
from chassis.registry import Registry
from chassis.repository import Repository
from chassis.settings import number, text
from chassis.store import Collection
from services.documents import wire
from services.documents.model.incoming import Delivery
from services.documents.model.numbering import Series
from services.documents.model.outgoing import Document


@dataclass(frozen=True)
class Desk:
    """What the commands of this service need.

    numbers: unique claims "<document number>" → document id; highest_level: the classification that is switched on.
    """

    documents: Repository[Document]
    deliveries: Repository[Delivery]
    series: Repository[Series]
    numbers: Collection
    files: Files
    directory: Directory
    registry: Registry
    fonts: Path
    highest_level: int


def repositories(parts: Parts) -> dict[str, Repository[Any]]:
    """The repositories by name, as the relay and the index need them."""
    documents: Repository[Document] = parts.repository(
        Document,
        "documents",
        to_wire=wire.document_to_wire,
        what="公文",
        owners=lambda document: {f"u:{document.issuing_unit}"},
    )

    def delivery_to_wire(delivery: Delivery, event: Any) -> Any:
        return wire.delivery_to_wire(delivery, event, documents.get)

    return {
        "documents": documents,
        "deliveries": parts.repository(
            Delivery,
            "deliveries",
            to_wire=delivery_to_wire,
            what="收文",
            owners=lambda delivery: {f"u:{delivery.unit}"},
        ),
        "series": parts.repository(Series, "series"),
    }


def desk(parts: Parts, registry: Registry) -> Desk:
    """The desk of this process."""
    kept = repositories(parts)
    return Desk(
        documents=kept["documents"],
        deliveries=kept["deliveries"],
        series=kept["series"],
        numbers=parts.store.collection("numbers"),
        files=parts.files,
        directory=parts.directory,
        registry=registry,
        fonts=Path(text("FONTS")),
        highest_level=int(number("HIGHEST_LEVEL", 0)),
    )


def mend(parts: Parts) -> Callable[[Any], None]:
    """A document that comes back from a backup holds its number again.

    Raises Exists when another one was given it meanwhile.
    """
    numbers = parts.store.collection("numbers")

    def hold(aggregate: Any) -> None:
        number = getattr(aggregate, "number", "")
        if number and numbers.claim(number, aggregate.id) != aggregate.id:
            raise Exists(
                "NUMBER_TAKEN",
                f"已恢复，但文号{number}已被另一公文使用。",
                f"It is back, but its number {number} is another document's now.",
            )

    return hold
