"""A stored text as HTML that can do no harm: Markdown without HTML, and a second sieve behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

LONGEST = 300_000  # characters shown on one page
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAGS = {
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "br",
    "hr",
    "ul",
    "ol",
    "li",
    "blockquote",
    "strong",
    "em",
    "s",
    "code",
    "pre",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}} | {f"h{level}": {"id"} for level in range(1, 7)}
# No images: they would come from elsewhere, and tell there who reads what.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


@dataclass(frozen=True)
class Heading:
    """One heading of a text, for the table of contents."""

    anchor: str
    title: str
    level: int


@dataclass(frozen=True)
class Rendered:
    """A text as a page shows it; cut: whether only its beginning is shown."""

    html: Markup
    headings: list[Heading]
    cut: bool


def render(text: str, form: str, title: str = "") -> Rendered:
    """A text as HTML, without a first heading that only repeats the item's title."""
    shown = text[:LONGEST]
    if form == "markdown":
        html, headings = _markdown(shown, title)
    else:
        html, headings = _paragraphs(shown), []
    return Rendered(html, headings, len(text) > LONGEST)


def _paragraphs(text: str) -> Markup:
    """Plain lines as paragraphs; the addressees of a document, which end in a colon, stand without indent."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    flush = Markup('<p class="k-flush">{}</p>')
    return Markup("\n").join(
        (flush if number < 2 and line.endswith("：") else Markup("<p>{}</p>")).format(line)
        for number, line in enumerate(lines)
    )


def _markdown(text: str, title: str) -> tuple[Markup, list[Heading]]:
    tokens = _PARSER.parse(_COMMENT.sub("", text))
    if (
        len(tokens) > 1
        and tokens[0].type == "heading_open"
        and title
        and tokens[1].content.strip().endswith(title)
    ):
        tokens = tokens[3:]
    headings: list[Heading] = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            heading = Heading(f"s{len(headings) + 1}", " ".join(inline.content.split()), int(opening.tag[1]))
            opening.attrSet("id", heading.anchor)
            headings.append(heading)
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean), headings  # noqa: S704 - nh3 has just cleaned it
