"""Items ↔ records."""

from __future__ import annotations

from chassis.parts import Parts
from chassis.repository import Repository
from services.knowledge.model.item import Item
from services.knowledge.registry import ITEMS

SCHEMA = 1


def open_items(parts: Parts) -> Repository[Item]:
    """The items of this service."""
    return parts.repository(Item, ITEMS, schema=SCHEMA, what="资料", owners=lambda item: {f"u:{item.keeper}"})
