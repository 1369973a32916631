"""A .docx manuscript as typed blocks, hostile ones included.

Before anything is parsed chassis.archives has judged the archive and searched every XML part for a DTD (zip bombs, entities:
checks 24 and 29). Nothing is fetched.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

import docx
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn

from chassis import archives
from services.documents.printing import numbering
from services.documents.printing.body import Gathered, Reading, check_length, classified
from services.documents.printing.errors import UnreadableTextError
from services.documents.printing.sheet import MAX_BLOCKS, PageBreak, Run, Table

if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_ARCHIVE_BYTES = 30_000_000
MAX_DEPTH = 60

# Deleted or moved away in tracked changes; what Word keeps for older programs beside the real thing.
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SKIPPED = {qn("w:del"), qn("w:moveFrom"), f"{_COMPATIBILITY}Fallback"}
_LEFT_OUT = {
    qn("w:drawing"): "图片",
    qn("w:pict"): "图片",
    qn("w:object"): "嵌入对象",
    qn("w:footnoteReference"): "脚注",
    qn("w:endnoteReference"): "尾注",
    "{http://schemas.openxmlformats.org/officeDocument/2006/math}oMath": "公式",
}
_SIGNS = {qn("w:tab"): " ", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_PAGE = "\f"


def read_docx(data: bytes) -> Reading:
    """Paragraphs, headings, tables and page breaks of the main text, with Word's automatic numbers.

    Text inserted in tracked changes counts, deleted text does not. Raises UnreadableTextError for a file that
    is no .docx, damaged, hostile or beyond the limits, and SheetError for a table that no page can take.
    """
    _check_archive(data)
    try:
        document = docx.Document(io.BytesIO(data))
        body = document.element.body
        part = document.part
        styles = {s.style_id: s.element for s in document.styles if s.style_id}
        has_lists = any("numbering" in relation.reltype for relation in part.rels.values())
        numbers = numbering.Numbering.of(part.numbering_part.element if has_lists else None)
    except (
        OpcError,
        KeyError,
        ValueError,
        AttributeError,
        SyntaxError,  # lxml: malformed XML
        zipfile.BadZipFile,
    ) as error:
        raise _damaged() from error
    if body is None:
        raise _damaged()
    found = Gathered()
    for element in _paragraphs_and_tables(body, 0):
        if element.tag == qn("w:tbl"):
            rows = tuple(_rows(element, found))
            if any(rows):
                found.blocks.append(Table(rows))
        else:
            _add_paragraph(element, styles, numbers, found)
        if len(found.blocks) > MAX_BLOCKS:
            raise UnreadableTextError(
                "TEXT_TOO_LONG", f"文稿超过{MAX_BLOCKS}段。", "The text has too many blocks."
            )
    check_length("".join(getattr(block, "text", "") for block in found.blocks))
    return found.finished()


def _check_archive(data: bytes) -> None:
    if len(data) > MAX_ARCHIVE_BYTES:
        raise _too_large()
    try:
        archives.check_office(io.BytesIO(data))
    except archives.Refused as refused:
        raise UnreadableTextError(
            f"TEXT_{refused.reason.removeprefix('FILE_')}", refused.zh, "The file is refused."
        ) from refused


def _paragraphs_and_tables(parent: Any, depth: int) -> Iterator[Any]:
    """Paragraphs and tables in order, those inside of content controls and tracked insertions included."""
    for child in parent.iterchildren():
        if child.tag in {qn("w:p"), qn("w:tbl")}:
            yield child
        elif isinstance(child.tag, str) and child.tag not in _SKIPPED:
            if depth > MAX_DEPTH:
                raise UnreadableTextError(
                    "TEXT_TOO_NESTED", "文稿中的层级过多，请简化后再试。", "The text is nested too deeply."
                )
            yield from _paragraphs_and_tables(child, depth + 1)


def _add_paragraph(
    element: Any, styles: dict[str, Any], numbers: numbering.Numbering, found: Gathered
) -> None:
    style = element.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    name = _style_name(styles.get(style.get(qn("w:val")))) if style is not None else ""
    runs = list(_runs(element, found, 0))
    listed = numbering.of_paragraph(element, styles)
    if listed and any(run.text.strip() for run in runs):
        runs.insert(0, Run(numbers.next(*listed)))
    if element.find(f"{qn('w:pPr')}/{qn('w:pageBreakBefore')}") is not None and found.blocks:
        found.blocks.append(PageBreak())
    level = re.fullmatch("heading ([1-9])", name)
    for line in _lines(runs):
        if line is None:
            found.blocks.append(PageBreak())
        elif name == "title" and not found.title:
            found.title = "".join(run.text for run in line).strip()
        elif any(run.text.strip() for run in line):
            found.blocks.append(classified(line, min(int(level[1]), 4) if level else 0))


def _style_name(style: Any) -> str:
    name = style.find(qn("w:name")) if style is not None else None
    return "" if name is None else name.get(qn("w:val"), "").lower()


def _runs(element: Any, found: Gathered, depth: int, *, strong: bool = False) -> Iterator[Run]:
    if depth > MAX_DEPTH:
        raise UnreadableTextError(
            "TEXT_TOO_NESTED", "文稿中的层级过多，请简化后再试。", "The text is nested too deeply."
        )
    for child in element.iterchildren():
        tag = child.tag
        if tag == qn("w:t"):
            yield Run(child.text or "", strong)
        elif tag in _SIGNS:
            yield Run(_SIGNS[tag], strong)
        elif tag == qn("w:br"):
            yield Run(_PAGE if child.get(qn("w:type")) == "page" else "\n")
        elif tag in _LEFT_OUT:
            found.left_out[_LEFT_OUT[tag]] = None
        elif tag == qn("w:r"):
            yield from _runs(child, found, depth + 1, strong=_bold(child))
        elif isinstance(tag, str) and tag not in _SKIPPED and tag not in {qn("w:pPr"), qn("w:rPr")}:
            yield from _runs(child, found, depth + 1, strong=strong)


def _bold(run: Any) -> bool:
    bold = run.find(f"{qn('w:rPr')}/{qn('w:b')}")
    return bold is not None and bold.get(qn("w:val"), "1") not in {"0", "false", "off"}


def _lines(runs: list[Run]) -> Iterator[list[Run] | None]:
    """The runs split at line breaks; None stands for a page break."""
    line: list[Run] = []
    for run in runs:
        for piece in re.split("([\n\f])", run.text):
            if piece in {"\n", _PAGE}:
                yield line
                line = []
                if piece == _PAGE:
                    yield None
            else:
                line.append(Run(piece, run.strong))
    yield line


def _rows(table: Any, found: Gathered) -> Iterator[tuple[str, ...]]:
    for row in table.iterchildren(qn("w:tr")):
        cells: list[str] = []
        for cell in row.iterchildren(qn("w:tc")):
            properties = cell.find(qn("w:tcPr"))
            span, merged = None, None
            if properties is not None:
                span, merged = properties.find(qn("w:gridSpan")), properties.find(qn("w:vMerge"))
            continued = merged is not None and merged.get(qn("w:val"), "continue") == "continue"
            texts = ["".join(r.text for r in _runs(p, found, 0)) for p in cell.iter(qn("w:p"))]
            cells.append("" if continued else "\n".join(t.replace(_PAGE, "") for t in texts).strip())
            width = span.get(qn("w:val"), "1") if span is not None else "1"
            # More columns than a table may have are refused by Table itself.
            cells += [""] * (min(int(width), 99) - 1 if width.isdecimal() else 0)
        yield tuple(cells)


def _damaged() -> UnreadableTextError:
    return UnreadableTextError(
        "TEXT_UNREADABLE",
        "文稿无法识别，请用 Word 另存为 docx 格式后再试。",
        "This is no readable .docx file.",
    )


def _too_large() -> UnreadableTextError:
    return UnreadableTextError(
        "TEXT_TOO_LARGE", "文稿过大，请删去其中的大图片后再试。", "The file exceeds the limits."
    )
