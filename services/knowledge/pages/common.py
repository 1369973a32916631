"""What the pages of this service share."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape
from tongban.knowledge.v1 import knowledge_pb2 as pb
from tongban.knowledge.v1 import knowledge_pb2_grpc

from chassis.client import Client

knowledge = Client("knowledge", knowledge_pb2_grpc.KnowledgeServiceStub)
KIND_TONES = {"archive": "accent", "regulation": "info", "experience": "good"}


def date_of(item: pb.Item) -> Any:
    """The item's date, or None when it has none: an empty Timestamp would read as 1970."""
    return item.date if item.HasField("date") else None


def marked(snippet: pb.Snippet) -> Markup:
    """A snippet with what was found in <mark>."""
    made, done = Markup(), 0
    for found in snippet.ranges:
        made += escape(snippet.text[done : found.start])
        made += Markup("<mark>{}</mark>").format(snippet.text[found.start : found.end])
        done = found.end
    return made + escape(snippet.text[done:])


def row(hit: pb.Hit) -> dict[str, Any]:
    """A hit as the list shows it: title and excerpt with marks, and what is known about the item."""
    item = hit.item
    snippets = {one.field: one for one in hit.snippets}
    title = marked(snippets["title"]) if "title" in snippets else escape(item.title)
    excerpt = marked(snippets["body"]) if "body" in snippets else escape(item.excerpt)
    return {
        "item": item,
        "title": title,
        "excerpt": excerpt,
        "date": date_of(item),
        "tone": KIND_TONES.get(item.kind, "neutral"),
    }
