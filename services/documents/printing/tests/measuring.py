"""A sheet to print, and a ruler to hold against the PDF."""

from __future__ import annotations

import datetime as dt
import io
import struct
import zlib
from dataclasses import dataclass

import pypdfium2
from pypdfium2 import raw

from services.documents.printing import code, scan
from services.documents.printing.sheet import Heading, Paragraph, Sheet, Signature

MM = 72 / 25.4
SENTENCE = (
    "各单位要严格执行二十四小时值班和领导带班制度，遇有突发事件第一时间报告并妥善处置，不得迟报漏报谎报瞒报。"
)
FIELDS = code.Code(
    number="20260000000000000001",
    issuer="大府市人民政府办公室",
    genre="通知",
    document_number="大府办发〔2026〕12号",
    addressees="各区县人民政府，市政府各部门",
    title="关于做好2026年国庆节期间安全生产和值班值守工作的通知",
    date=dt.date(2026, 9, 18),
    spread="公开发布",
    made_on=dt.date(2026, 9, 18),
)
SHEET = Sheet(
    organ_marks=("大府市人民政府办公室",),
    title="大府市人民政府办公室关于做好2026年国庆节期间安全生产和值班值守工作的通知",
    body=(
        Paragraph.of(SENTENCE),
        Heading(1, "一、加强组织领导"),
        Heading(2, "（一）落实主体责任。", SENTENCE),
        Paragraph.of(SENTENCE),
    ),
    copy_number="000001",
    urgency="特急",
    document_number="大府办发〔2026〕12号",
    addressees=("各区县人民政府", "市政府各部门、各直属机构"),
    attachment_notes=("国庆节值班安排表", "信息报送要求。"),
    signatures=(Signature("大府市人民政府办公室"),),
    date=dt.date(2026, 9, 8),
    note="此件公开发布",
    copies=("市委各部门", "市人大常委会办公室", "市政协办公室"),
    issuing_organ="大府市人民政府办公室",
    issued_on=dt.date(2026, 9, 9),
)


@dataclass
class Box:
    """A character or drawn shape; mm from the paper's upper left corner. size in pt, colour as RGB."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float = 0.0
    baseline: float = 0.0
    font: str = ""
    colour: tuple[int, int, int] = (0, 0, 0)


class Measured:
    def __init__(self, result, document):
        self.result = result
        self.document = document

    def characters(self, page):
        """Visible characters; left and right are those of the advance box, top and bottom of the ink."""
        pdf_page = self.document[page - 1]
        height = pdf_page.get_height()
        text = pdf_page.get_textpage()
        found = []
        for i in range(text.count_chars()):
            character = chr(raw.FPDFText_GetUnicode(text, i))
            if character.isspace() or raw.FPDFText_IsGenerated(text, i) == 1:
                continue
            _, bottom, _, top = text.get_charbox(i)
            x, y = raw.c_double(), raw.c_double()
            raw.FPDFText_GetCharOrigin(text, i, x, y)
            loose = text.get_charbox(i, loose=True)
            channels = [raw.c_uint() for _ in range(4)]
            raw.FPDFText_GetFillColor(text, i, *channels)
            name = raw.c_char * 100
            buffer, flags = name(), raw.c_int()
            raw.FPDFText_GetFontInfo(text, i, buffer, 100, flags)
            found.append(
                Box(
                    character,
                    loose[0] / MM,
                    (height - top) / MM,
                    loose[2] / MM,
                    (height - bottom) / MM,
                    raw.FPDFText_GetFontSize(text, i),
                    (height - y.value) / MM,
                    buffer.value.decode(),
                    tuple(c.value for c in channels[:3]),
                )
            )
        return found

    def lines(self, page):
        """Characters grouped by baseline, top down, each line from left to right."""
        rows = {}
        for box in self.characters(page):
            key = next((y for y in rows if abs(y - box.baseline) < 0.5), box.baseline)
            rows.setdefault(key, []).append(box)
        return [sorted(rows[y], key=lambda box: box.left) for y in sorted(rows)]

    def line(self, page, start):
        """The line whose text begins with `start`."""
        return next(line for line in self.lines(page) if words(line).startswith(start))

    def rules(self, page):
        """Horizontal drawn lines, top down; top and bottom are the edges of the stroke."""
        pdf_page = self.document[page - 1]
        height = pdf_page.get_height()
        found = []
        for item in pdf_page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]):
            left, bottom, right, top = item.get_bounds()
            if right - left > 100 * MM and top - bottom < 3 * MM:
                thickness = raw.c_float()
                raw.FPDFPageObj_GetStrokeWidth(item, thickness)
                middle = (height - (top + bottom) / 2) / MM
                half = thickness.value / MM / 2
                # Bounds are widened by the stroke on all sides; the ends of these lines are flat.
                edge = 2 * half
                found.append(Box("", left / MM + edge, middle - half, right / MM - edge, middle + half))
        return sorted(found, key=lambda box: box.top)


def code_in(pdf, seconds=scan.SECONDS):
    """The code on a PDF's last page, as a scanner of 200 dpi sees it; None when there is none."""
    with pypdfium2.PdfDocument(pdf) as document:
        picture = document[len(document) - 1].render(scale=200 / 72, grayscale=True).to_pil()
    out = io.BytesIO()
    picture.save(out, "PNG")
    return scan.find_in_image(out.getvalue(), seconds)


def pixel_flood(side):
    """A PNG of some hundred bytes that claims side × side pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    image = chunk(b"IDAT", zlib.compress(bytes(side + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + image + chunk(b"IEND", b"")


def words(line):
    return "".join(box.text for box in line)
