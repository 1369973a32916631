"""Text from files: Markdown, plain text, HTML, Word and PDF. Pure functions, limits, typed errors.

Run as a program (`python -m services.knowledge.extract docx < file`), it does one file within limits of
memory and processor
time, so that whatever a file does to a parser stays in that process. services.knowledge.extraction calls it
so.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from chassis import archives
from chassis.errors import InvalidInput

if TYPE_CHECKING:
    from pypdf import PdfReader

TEXT_BYTES = 8 << 20  # of a plain file
TEXT_CHARS = 1_000_000  # of what comes out of any file: it must fit into one message of the API
PAGES = 3_000
HTML_TAGS, HTML_ATTRIBUTES = 50_000, 100_000
# What one stream may unpack to, and how much work it may make (names of pypdf's own settings).
PDF_LIMITS: dict[str, Any] = {
    "zlib_maximum_output_length": 12 << 20,
    "lzw_maximum_output_length": 12 << 20,
    "run_length_maximum_output_length": 12 << 20,
    "array_based_stream_maximum_output_length": 12 << 20,
    "stream_decoding_work_maximum_length": 48 << 20,
    "stream_parsing_work_maximum_count": 200_000,
}
MEMORY, SECONDS = 1 << 30, 40  # of the process that works on one file
KINDS = ("md", "txt", "html", "docx", "pdf")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARKS = (
    (re.compile(r"^\s{0,3}#{1,6}\s+", re.MULTILINE), ""),
    (re.compile(r"^\s{0,3}(?:[-*+]|>)\s+", re.MULTILINE), ""),
    (re.compile(r"^\s{0,3}(?:[-*_]\s*){3,}$", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)"), r"\1"),
    (re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
)


@dataclass(frozen=True)
class Extracted:
    """A file's text; format: "plain" or "markdown"."""

    text: str
    format: str


def unreadable(sentence: str, reason: str = "FILE_UNREADABLE") -> InvalidInput:
    """The refusal of one file, with a sentence that says what is wrong with it."""
    return InvalidInput(reason, sentence, "The file cannot be read.", {"files": sentence})


def extract(kind: str, data: bytes) -> Extracted:
    """The text of a file of this kind.

    Raises InvalidInput: FILE_KIND, FILE_EMPTY, FILE_UNREADABLE or FILE_TOO_LARGE.
    """
    reader = _READERS.get(kind)
    if reader is None:
        raise unreadable("不支持该文件格式，请使用 docx、pdf、md、txt 或 html。", "FILE_KIND")
    if not data:
        raise unreadable("文件是空的。", "FILE_EMPTY")
    found = reader(data)
    if len(found.text) > TEXT_CHARS:
        raise unreadable(f"文件的文字超过 {TEXT_CHARS // 10_000} 万字的上限。", "FILE_TOO_LARGE")
    return found


def decode(data: bytes) -> str:
    """Text of a plain file: UTF-8 or UTF-16 by its mark, else UTF-8, else GB18030. Line ends become newlines.

    Raises InvalidInput for what is none of these, or holds control characters as binary files do.
    """
    if len(data) > TEXT_BYTES:
        raise unreadable(f"文本文件不能超过 {TEXT_BYTES >> 20} MB。", "FILE_TOO_LARGE")
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if marked else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise unreadable("文件的文字编码无法识别，请另存为 UTF-8 后再试。")
    if re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
        raise unreadable("文件不是文本文件。")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def plain(text: str, form: str) -> str:
    """A text without Markdown's marks: what is searched and excerpted."""
    if form != "markdown":
        return text
    text = _COMMENT.sub("", text)
    for mark, by in _MARKS:
        text = mark.sub(by, text)
    return text


def _markdown(data: bytes) -> Extracted:
    return Extracted(decode(data), "markdown")


def _text(data: bytes) -> Extracted:
    return Extracted(decode(data), "plain")


def _html(data: bytes) -> Extracted:
    from bs4 import BeautifulSoup  # noqa: PLC0415 - the service itself never parses HTML, only the bounded process does

    if len(data) > TEXT_BYTES:
        raise unreadable(f"网页文件不能超过 {TEXT_BYTES >> 20} MB。", "FILE_TOO_LARGE")
    if data.count(b"<") > HTML_TAGS or data.count(b"=") > HTML_ATTRIBUTES:
        raise unreadable("网页文件结构过于复杂，已拒绝。", "FILE_TOO_LARGE")
    stated = re.search(rb"charset=[\"']?([A-Za-z0-9_-]+)", data[:2048])
    legacy = stated is not None and stated[1].lower() in (b"gb2312", b"gbk", b"gb18030")
    soup = BeautifulSoup(data.decode("gb18030", "replace") if legacy else decode(data), "lxml")
    for hidden in soup(["script", "style", "template", "noscript", "head"]):
        hidden.decompose()
    lines = (" ".join(line.split()) for line in soup.get_text("\n").splitlines())
    return _worded("\n".join(line for line in lines if line))


def _docx(data: bytes) -> Extracted:
    from docx import Document  # noqa: PLC0415 - see _html
    from docx.table import Table  # noqa: PLC0415

    _check_docx(data)
    try:
        document = Document(io.BytesIO(data))
        lines: list[str] = []
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                # A merged cell comes once for each column that it spans.
                lines += [
                    "\t".join(dict.fromkeys(" ".join(cell.text.split()) for cell in row.cells))
                    for row in block.rows
                ]
            else:
                lines.append(block.text)
    except Exception as problem:
        raise unreadable("Word 文件已损坏，无法读取。") from problem
    return _worded("\n".join(lines))


def _check_docx(data: bytes) -> None:
    """Refuse what would unpack to much more than it says, before anything is parsed."""
    try:
        archives.check_office(io.BytesIO(data))
    except archives.Refused as refused:
        raise unreadable(refused.zh, refused.reason) from refused


def _pdf(data: bytes) -> Extracted:
    from pypdf import PdfReader, apply_configuration  # noqa: PLC0415 - see _html

    if b"%PDF-" not in data[:1024]:
        raise unreadable("不是有效的 PDF 文件。")
    try:
        with apply_configuration(**PDF_LIMITS):
            return _worded(_pages(PdfReader(io.BytesIO(data))))
    except InvalidInput:
        raise
    except Exception as problem:
        raise unreadable("PDF 文件已损坏，无法读取。") from problem


def _pages(reader: PdfReader) -> str:
    if reader.is_encrypted and not reader.decrypt(""):
        raise unreadable("PDF 文件已加密，无法读取。")
    if len(reader.pages) > PAGES:
        raise unreadable(f"PDF 文件超过 {PAGES} 页的上限。", "FILE_TOO_LARGE")
    lines: list[str] = []
    length = 0
    for page in reader.pages:
        lines.append(page.extract_text())
        length += len(lines[-1])
        if length > TEXT_CHARS:
            raise unreadable(f"文件的文字超过 {TEXT_CHARS // 10_000} 万字的上限。", "FILE_TOO_LARGE")
    return "\n".join(lines)


def _worded(text: str) -> Extracted:
    """A text that has words: a scan has none, and nobody would ever find it."""
    text = "\n".join(line.rstrip() for line in text.replace("\x00", "").splitlines()).strip()
    if not text:
        raise unreadable("文件中没有可识别的文字（可能是扫描件），请先做文字识别。", "FILE_EMPTY")
    return Extracted(text.encode("utf-8", "replace").decode(), "plain")


_READERS = {"md": _markdown, "txt": _text, "html": _html, "docx": _docx, "pdf": _pdf}


def main() -> int:
    """One file from standard input to JSON on standard output: {text, format} or {reason, zh}."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        answer = asdict(extract(sys.argv[1], sys.stdin.buffer.read()))
    except InvalidInput as refusal:
        answer = {"reason": refusal.reason, "zh": refusal.zh}
    except MemoryError:
        answer = {"reason": "FILE_TOO_LARGE", "zh": "文件展开后过大，已拒绝。"}
    except RecursionError:
        answer = {"reason": "FILE_UNREADABLE", "zh": "文件结构异常，无法读取。"}
    sys.stdout.buffer.write(json.dumps(answer).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
