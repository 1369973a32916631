"""A body as the drafter edits it: one paragraph a line, tables as lines of cells between bars.

What is taken from an office file becomes such text, so that there is one form in which a body is kept, changed and printed.
"""

from __future__ import annotations

from itertools import groupby

from services.documents.printing.body import Reading, read_markdown, read_text
from services.documents.printing.errors import UnreadableTextError
from services.documents.printing.sheet import MAX_CHARACTERS, Block, Heading, PageBreak, Paragraph, Table
from services.documents.printing.word import read_docx

LONGEST_CHARACTER = 4  # bytes, in both encodings


def text_of_file(name: str, content: bytes) -> Reading:
    """What an uploaded .docx, .md or .txt holds.

    Raises UnreadableTextError, also for other kinds of files.
    """
    ending = name.rpartition(".")[2].lower()
    if ending == "docx":
        return read_docx(content)
    if ending not in ("md", "markdown", "txt"):
        raise UnreadableTextError(
            "BODY_KIND", "正文只能取自 .docx、.md 或 .txt 文件。", "Only .docx, .md and .txt can be read."
        )
    if len(content) > MAX_CHARACTERS * LONGEST_CHARACTER:
        raise UnreadableTextError(
            "TEXT_TOO_LONG", f"文稿超过{MAX_CHARACTERS}字。", f"The text exceeds {MAX_CHARACTERS} characters."
        )
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return read_text(text) if ending == "txt" else read_markdown(text)
    raise UnreadableTextError(
        "BODY_ENCODING",
        "文件的文字编码无法识别，请用记事本另存为 UTF-8 编码后再试。",
        "The text is neither UTF-8 nor GB18030.",
    )


def text_of(blocks: tuple[Block, ...]) -> str:
    """Blocks as editable text."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Heading():
                lines.append(block.text + block.rest)
            case Paragraph():
                lines.append(block.text)
            case PageBreak():
                lines.append("\f")
            case Table():
                lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in block.rows]
    return "\n".join(lines)


def blocks_of(text: str) -> tuple[Block, ...]:
    """Editable text as blocks.

    Raises UnreadableTextError beyond the limits.
    """
    blocks: list[Block] = []
    for table, lines in groupby(text.split("\n"), key=_is_row):
        if table:
            blocks.append(
                Table(tuple(tuple(cell.strip() for cell in line.strip()[1:-1].split("|")) for line in lines))
            )
        else:
            blocks += read_text("\n".join(lines)).blocks
    return tuple(blocks)


def _is_row(line: str) -> bool:
    bare = line.strip()
    return len(bare) > 2 and bare.startswith("|") and bare.endswith("|")


def _cell(text: str) -> str:
    return text.replace("|", "｜").replace("\n", " ")
