"""Everything that stands on a printed official document, as data without layout.

The elements are those of the 条例 Art 9 and of GB/T 9704-2012 §7 (standards.md §1, §2). A sheet is complete
and immutable: the same sheet is always printed to the same bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.documents.printing.errors import SheetError

if TYPE_CHECKING:
    import datetime as dt

MAX_CHARACTERS = 400_000
MAX_BLOCKS = 20_000
MAX_TITLE = 300
MAX_FIELDS = 20_000
MAX_ORGANS = 30
MAX_COLUMNS = 20
MAX_SEAL_BYTES = 2_000_000


class Kind(enum.StrEnum):
    """Which layout of GB/T 9704-2012 is used: §7 文件, §10.1 信函, §10.2 命令, §10.3 纪要."""

    FILE = "file"
    LETTER = "letter"
    ORDER = "order"
    MINUTES = "minutes"


class CodePlace(enum.StrEnum):
    """Where the two-dimensional code stands. GB/T 9704 is silent, local rules differ, hence a setting.

    AUTO: below the imprint on the last page, on the side without the page number; a letter's code goes to the
    head. FOOT_LEFT, FOOT_RIGHT: as AUTO, side fixed. HEAD: above the type area of page 1, at the right.
    """

    AUTO = "auto"
    HEAD = "head"
    FOOT_LEFT = "foot_left"
    FOOT_RIGHT = "foot_right"


@dataclass(frozen=True)
class Run:
    """A piece of a paragraph; `strong` is what the author wrote in bold."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the body: indented by two characters, continuation flush (7.3.3)."""

    runs: tuple[Run, ...]

    @classmethod
    def of(cls, text: str) -> Paragraph:
        """A paragraph of plain text."""
        return cls((Run(text),))

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True)
class Heading:
    """A heading with its own number in its text: level 1 一、 2 （一） 3 1. 4 （1） (7.3.3).

    `rest` is what follows the heading in the same paragraph and is set in the body's type.
    """

    level: int
    text: str
    rest: str = ""

    def __post_init__(self) -> None:
        if self.level not in (1, 2, 3, 4):
            raise SheetError("HEADING_LEVEL", "标题层次只能是一至四级。", "Heading levels are 1 to 4.")


@dataclass(frozen=True)
class Table:
    """A table: rows of cells of plain text; the first row is repeated as header when `header` is true."""

    rows: tuple[tuple[str, ...], ...]
    header: bool = True

    def __post_init__(self) -> None:
        if not self.rows or max(map(len, self.rows)) == 0:
            raise SheetError("TABLE_EMPTY", "表格没有内容。", "The table has no cells.")
        if max(map(len, self.rows)) > MAX_COLUMNS:
            raise SheetError(
                "TABLE_TOO_WIDE",
                f"表格超过{MAX_COLUMNS}列。",
                f"The table has more than {MAX_COLUMNS} columns.",
            )


@dataclass(frozen=True)
class PageBreak:
    """What follows starts a new page."""


Block = Paragraph | Heading | Table | PageBreak


@dataclass(frozen=True)
class Seal:
    """A red seal as PNG or JPEG with white or transparent ground; diameter in mm (42 is usual, U)."""

    image: bytes
    diameter: float = 42.0


@dataclass(frozen=True)
class Signature:
    """One signing organ (署名). With `seal` the page is laid out by 7.3.5.1, without by 7.3.5.2 不盖章.

    For an order (命令) the organ is the signing person's post and name, for example "市长　张三".
    """

    organ: str
    seal: Seal | None = None


@dataclass(frozen=True)
class Attendance:
    """A line of minutes: label 出席, 请假 or 列席, and the names (10.3)."""

    label: str
    names: str


@dataclass(frozen=True)
class Attachment:
    """The text of an attachment, printed on a new page before the imprint (7.3.7)."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Sheet:
    """A document ready for print. Empty string or empty tuple: the element is absent.

    title: a line break in it is kept; otherwise lines are broken by meaning. period: "1年", "10年", "长期".
    mark_suffix: "文件" for a file, "" for the organ's name alone; orders and minutes put their word into
    organ_marks. document_number: complete, with 〔〕. code: payload of `code.encode`, "" for none.
    """

    organ_marks: tuple[str, ...]
    title: str
    body: tuple[Block, ...]
    kind: Kind = Kind.FILE
    mark_suffix: str = "文件"
    copy_number: str = ""
    classification: str = ""
    period: str = ""
    urgency: str = ""
    document_number: str = ""
    signers: tuple[str, ...] = ()
    addressees: tuple[str, ...] = ()
    attachment_notes: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()
    date: dt.date | None = None
    note: str = ""
    attendances: tuple[Attendance, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    copies: tuple[str, ...] = ()
    issuing_organ: str = ""
    issued_on: dt.date | None = None
    addressees_in_imprint: bool = False
    code: str = ""
    code_place: CodePlace = CodePlace.AUTO

    def __post_init__(self) -> None:
        if not self.organ_marks or not all(mark.strip() for mark in self.organ_marks):
            raise SheetError(
                "ORGAN_MARK_MISSING", "缺少发文机关标志。", "The issuing organ's mark is missing."
            )
        if max(len(self.organ_marks), len(self.signatures), len(self.signers)) > MAX_ORGANS:
            raise SheetError(
                "TOO_MANY_ORGANS",
                f"联合行文机关超过{MAX_ORGANS}个。",
                f"More than {MAX_ORGANS} joint organs.",
            )
        if set(self.document_number) & set("[]［］()（）【】"):
            raise SheetError(
                "NUMBER_BRACKETS",
                "发文字号的年份应当用六角括号“〔〕”括入。",
                "The year of a document number stands in 〔〕.",
            )
        sealed = sum(signature.seal is not None for signature in self.signatures)
        if sealed not in (0, len(self.signatures)):
            raise SheetError(
                "SEAL_MISSING", "联合行文应当全部加盖印章。", "Either every organ seals or none."
            )
        if any(len(s.seal.image) > MAX_SEAL_BYTES for s in self.signatures if s.seal):
            raise SheetError("SEAL_TOO_LARGE", "印章图片过大。", "The image of the seal is too large.")
        fields = (
            *self.organ_marks, *self.signers, *self.addressees, *self.attachment_notes, *self.copies,
            *(s.organ for s in self.signatures), *(a.label + a.names for a in self.attendances),
            self.mark_suffix, self.copy_number, self.classification, self.period, self.urgency,
            self.document_number, self.note, self.issuing_organ, self.code,
        )  # fmt: skip
        titles = (self.title, *(a.title for a in self.attachments))
        if sum(map(len, fields)) > MAX_FIELDS or any(len(title) > MAX_TITLE for title in titles):
            raise SheetError(
                "ELEMENT_TOO_LONG",
                f"公文要素过长：标题不超过{MAX_TITLE}字，其余要素合计不超过{MAX_FIELDS}字。",
                f"Titles have at most {MAX_TITLE} characters, all other elements together {MAX_FIELDS}.",
            )
        blocks = (*self.body, *(block for a in self.attachments for block in a.blocks))
        if len(blocks) > MAX_BLOCKS or sum(map(_length, blocks)) > MAX_CHARACTERS:
            raise SheetError(
                "SHEET_TOO_LONG",
                f"正文及附件超过{MAX_CHARACTERS}字，请分件制发。",
                f"Body and attachments exceed {MAX_CHARACTERS} characters.",
            )


def chinese_date(date: dt.date) -> str:
    """成文日期 and 印发日期: Arabic digits, full year, no leading zeros (7.3.5.4)."""
    return f"{date.year}年{date.month}月{date.day}日"


def _length(block: Block) -> int:
    match block:
        case Paragraph():
            return len(block.text)
        case Heading():
            return len(block.text) + len(block.rest)
        case Table():
            return sum(len(cell) + 1 for row in block.rows for cell in row)
        case PageBreak():
            return 0
