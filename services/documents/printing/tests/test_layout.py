"""The page, measured in the PDF itself against standards.md §2 (GB/T 9704-2012). Lengths in mm."""

import datetime as dt
import io
import time

import pytest
from PIL import Image, ImageDraw

from services.documents.printing import code, layout
from services.documents.printing.errors import FontsError, LayoutError, PictureError, SheetError
from services.documents.printing.sheet import (
    Attachment,
    Attendance,
    CodePlace,
    Heading,
    Kind,
    PageBreak,
    Paragraph,
    Run,
    Seal,
    Signature,
    Table,
)
from services.documents.printing.tests.measuring import FIELDS, SENTENCE, SHEET, pixel_flood, words

LEFT, RIGHT, TOP, BOTTOM = 28.0, 184.0, 37.0, 262.0
CHARACTER = 156 / 28
ROW = (225 - 22 * 16 * 25.4 / 72) / 21 + 16 * 25.4 / 72
EM3, EM4 = 16 * 25.4 / 72, 14 * 25.4 / 72
DIGITS = "一二三四五六七八九十" * 2 + "甲乙丙丁戊己庚辛"


def near(value, tolerance=0.3):
    return pytest.approx(value, abs=tolerance)


def em_top(line, size=EM3):
    return line[0].baseline - 0.88 * size


def em_bottom(line, size=EM3):
    return line[0].baseline + 0.12 * size


def seal(colour=(220, 30, 30, 255)):
    image = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((3, 3, 297, 297), outline=colour, width=9)
    out = io.BytesIO()
    image.save(out, "PNG")
    return Seal(out.getvalue())


def images(measured, page):
    height = measured.document[page - 1].get_height()
    boxes = []
    for item in measured.document[page - 1].get_objects():
        if item.type == 3:
            left, bottom, right, top = item.get_bounds()
            boxes.append(tuple(v / 72 * 25.4 for v in (left, height - top, right, height - bottom)))
    return boxes


# ---- 5.2: paper and type area ----


def test_paper_is_a4(printed):
    width, height = printed().document[0].get_size()
    millimetres = (width / 72 * 25.4, height / 72 * 25.4)
    assert millimetres == (near(210, 0.1), near(297, 0.1))


@pytest.fixture(scope="module")
def full(printed):
    """A page of nothing but full lines."""
    return printed(body=(Paragraph.of(DIGITS * 100),), title="通知", copies=(), attachment_notes=())


def test_full_page_has_22_lines_that_fill_the_type_area(full):
    lines = [line for line in full.lines(2) if line[0].baseline < BOTTOM]
    assert len(lines) == 22
    assert em_top(lines[0]) == near(TOP)
    assert em_bottom(lines[-1]) == near(BOTTOM)


def test_full_line_has_28_characters_and_the_width_of_the_type_area(full):
    for line in full.lines(2)[:22]:
        assert len(line) == 28
        assert (line[0].left, line[-1].right) == (near(LEFT), near(RIGHT))
        assert {round(box.size, 1) for box in line} == {16.0}
        assert all("FandolFang" in box.font for box in line)


def test_nothing_stands_outside_of_the_type_area_but_page_numbers(printed):
    long = "见https://example.gov.cn/" + "a1b2c3" * 60 + "。"
    measured = printed(body=(Paragraph.of(long), Table(((long, "二"), ("一", long)))), title=SHEET.title * 4)
    for page in range(1, measured.result.pages + 1):
        for box in measured.characters(page):
            assert LEFT - 0.3 < box.left < box.right < RIGHT + 0.5, box
            assert box.top > TOP - 0.3, box
            assert box.bottom < BOTTOM + 0.3 or box.text in "—0123456789", box


# ---- 7.2: head ----


def test_copy_number_classification_and_urgency_stand_left_top_down(printed):
    lines = printed(classification="秘密", period="1年").lines(1)[:3]
    assert [words(line) for line in lines] == ["000001", "秘密★1年", "特急"]
    for number, line in enumerate(lines):
        assert line[0].left == near(LEFT)
        assert em_top(line) == near(TOP + number * ROW)
    assert "FandolFang" in lines[0][0].font
    assert all("FandolHei" in line[0].font for line in lines[1:])


@pytest.mark.parametrize(
    "marks",
    [
        ("大府市人民政府",),
        ("大府市人民政府办公室",),
        ("大府市老城区人民政府流动人口与出租房屋服务管理办公室",),
    ],
)
def test_organ_mark_is_red_centred_and_35_below_the_type_area_top(printed, marks):
    mark = next(line for line in printed(organ_marks=marks).lines(1) if line[0].colour != (0, 0, 0))
    assert words(mark) == marks[0] + "文件"
    assert min(box.top for box in mark) == near(TOP + 35)
    assert (mark[0].left + mark[-1].right) / 2 == near((LEFT + RIGHT) / 2, 1)
    assert mark[0].left > LEFT - 0.5
    red, green, blue = mark[0].colour
    assert red > 200
    assert max(green, blue) < 120
    assert "FandolSong-Bold" in mark[0].font


def test_joint_mark_lists_organs_lead_first_and_centres_the_word_file_right(printed):
    organs = ("大府市发展和改革委员会", "大府市财政局", "大府市人力资源和社会保障局")
    red = [box for box in printed(organ_marks=organs).characters(1) if box.colour != (0, 0, 0)]
    word = [box for box in red if box.text in "文件" and box.left > max(b.right for b in red) - 40][-2:]
    names = [box for box in red if box not in word]
    assert "".join(box.text for box in word) == "文件"
    assert min(box.left for box in word) > max(box.right for box in names) - 0.5
    top, bottom = min(box.top for box in names), max(box.bottom for box in names)
    assert top == near(TOP + 35)
    assert (min(b.top for b in word) + max(b.bottom for b in word)) / 2 == near((top + bottom) / 2, 0.6)
    assert words(sorted(names, key=lambda b: (round(b.baseline), b.left))) == "".join(organs)


def test_number_is_centred_two_rows_below_the_mark(printed):
    measured = printed()
    number = measured.line(1, "大府办发〔2026〕12号")
    mark = measured.line(1, "大府市人民政府办公室文件")
    assert (number[0].left + number[-1].right) / 2 == near((LEFT + RIGHT) / 2)
    assert em_top(number) - max(box.bottom for box in mark) == near(2 * ROW, 0.5)


def test_red_line_is_4_below_the_number_and_156_wide(printed):
    measured = printed()
    (line,) = measured.rules(1)
    assert line.top - em_bottom(measured.line(1, "大府办发")) == near(4, 0.1)
    assert (line.left, line.right) == (near(LEFT, 0.1), near(RIGHT, 0.1))


def test_upward_document_has_signers_right_and_its_number_left_on_their_last_line(printed):
    measured = printed(signers=("王建国", "李明", "欧阳文华"))
    first, last = measured.line(1, "签发人："), measured.line(1, "大府办发")
    assert words(first) == "签发人：王建国李明"
    assert words(last) == "大府办发〔2026〕12号欧阳文华"
    assert last[0].left == near(LEFT + CHARACTER)
    assert first[-1].right == near(RIGHT - CHARACTER)
    label, name = first[0], first[4]
    assert "FandolFang" in label.font
    assert "FandolKai" in name.font
    assert last[-4].left == near(name.left)
    assert measured.rules(1)[0].top - em_bottom(last) == near(4, 0.1)


# ---- 7.3: body ----


def test_title_stands_two_rows_below_the_red_line_in_22_pt(printed):
    measured = printed()
    title = measured.line(1, "大府市人民政府办公室关于")
    assert round(title[0].size) == 22
    assert em_top(title, 22 * 25.4 / 72) - measured.rules(1)[0].bottom == near(2 * ROW)
    assert (title[0].left + title[-1].right) / 2 == near((LEFT + RIGHT) / 2)


def test_addressees_are_flush_one_row_below_the_title_and_end_in_a_colon(printed):
    measured = printed()
    line, title = measured.line(1, "各区县"), measured.line(1, "国庆节期间")
    assert words(line) == "各区县人民政府，市政府各部门、各直属机构："
    assert line[0].left == near(LEFT)
    gap = ROW - EM3
    assert em_top(line) - em_bottom(title, 22 * 25.4 / 72) == near(ROW + gap)


def test_paragraph_is_indented_by_two_characters_and_continues_flush(printed):
    lines = printed().lines(1)
    first = next(i for i, line in enumerate(lines) if words(line).startswith("各单位"))
    assert lines[first][0].left == near(LEFT + 2 * CHARACTER)
    assert lines[first + 1][0].left == near(LEFT)
    assert lines[first + 1][0].baseline - lines[first][0].baseline == near(ROW, 0.05)


@pytest.mark.parametrize(
    ("level", "text", "font"),
    [(1, "一、总则", "Hei"), (2, "（一）总则", "Kai"), (3, "1.总则", "Fang"), (4, "（1）总则", "Fang")],
)
def test_headings_have_their_typefaces(printed, level, text, font):
    line = printed(body=(Heading(level, text, "正文文字。"),)).line(1, text)
    assert all(f"Fandol{font}" in box.font for box in line[: len(text)])
    assert "FandolFang" in line[-2].font
    assert line[0].left == near(LEFT + 2 * CHARACTER, 0.6)


def test_heading_on_its_own_does_not_end_a_page(printed):
    for filler in range(20):
        body = (*[Paragraph.of("短句。")] * filler, Heading(1, "一、标题"), Paragraph.of(SENTENCE))
        measured = printed(body=body)
        for page in range(1, measured.result.pages + 1):
            inside = [line for line in measured.lines(page) if line[0].baseline < BOTTOM]
            assert words(inside[-1]) != "一、标题"


def test_attachment_notes_hang_behind_their_numbers_without_punctuation(printed):
    measured = printed(attachment_notes=("国庆节值班安排表" * 6, "信息报送要求。"))
    page = measured.result.pages
    first, second = measured.line(page, "附件："), measured.line(page, "2.")
    assert first[0].left == near(LEFT + 2 * CHARACTER)
    assert words(second) == "2.信息报送要求"
    name = next(box for box in first if box.text == "国")
    assert second[2].left == near(name.left)
    lines = measured.lines(page)
    following = lines[lines.index(first) + 1] if first in lines else None
    assert following is None or following[0].left == near(name.left)


def test_single_attachment_note_has_no_number(printed):
    measured = printed(attachment_notes=("名单",))
    assert any(words(line) == "附件：名单" for line in measured.lines(measured.result.pages))


# ---- 7.3.5: signature ----


def test_unsealed_signature_stands_two_characters_from_the_right_and_the_date_begins_two_later(printed):
    measured = printed(note="")
    page = measured.result.pages
    lines = [line for line in measured.lines(page) if words(line) == SHEET.signatures[0].organ]
    name, date = lines[0], measured.line(page, "2026年9月8日")
    assert name[-1].right == near(RIGHT - 2 * CHARACTER)
    assert date[0].left == near(name[0].left + 2 * CHARACTER)
    assert date[0].baseline - name[0].baseline == near(ROW, 0.05)
    above = [line for line in measured.lines(page) if line[0].baseline < name[0].baseline][-1]
    assert name[0].baseline - above[0].baseline == near(2 * ROW, 0.1)


def test_date_longer_than_the_name_stands_two_from_the_right_and_moves_the_name(printed):
    measured = printed(
        signatures=(Signature("大府市政府"),), date=dt.date(2026, 12, 18), copies=(), issuing_organ=""
    )
    page = measured.result.pages
    name = next(line for line in measured.lines(page) if words(line) == "大府市政府")
    date = measured.line(page, "2026年12月18日")
    assert date[-1].right == near(RIGHT - 2 * CHARACTER, 0.6)
    assert date[0].left == near(name[0].left + 2 * CHARACTER)


def test_signature_never_stands_alone_on_its_page(printed):
    for filler in range(26):
        body = tuple(Paragraph.of(f"第{i}句。") for i in range(filler))
        for notes in ((), ("名单",)):
            measured = printed(body=(*body, Paragraph.of("结尾。")), attachment_notes=notes)
            for page in range(1, measured.result.pages + 1):
                texts = [words(line) for line in measured.lines(page)]
                if "2026年9月8日" in texts:
                    company = texts[: texts.index("2026年9月8日") - 1]
                    assert company, (filler, notes)


def test_note_stands_in_brackets_two_characters_in_below_the_date(printed):
    measured = printed()
    page = measured.result.pages
    note, date = measured.line(page, "（此件公开发布）"), measured.line(page, "2026年9月8日")
    # The opening bracket's ink is in the right half of its box, which is cut at the start of a line.
    assert LEFT + CHARACTER < note[0].left < LEFT + 2 * CHARACTER + 0.3
    assert note[0].baseline - date[0].baseline == near(ROW, 0.05)


def test_seal_covers_name_and_date_and_begins_within_a_line_of_the_text(printed):
    measured = printed(signatures=(Signature(SHEET.signatures[0].organ, seal()),), note="")
    page = next(p for p in range(1, measured.result.pages + 1) if images(measured, p))
    ((left, top, right, bottom),) = images(measured, page)
    date = measured.line(page, "2026年9月8日")
    name = next(line for line in measured.lines(page) if words(line) == SHEET.signatures[0].organ)
    above = [line for line in measured.lines(page) if line[0].baseline < name[0].baseline][-1]
    assert right - left == near(42) == bottom - top
    assert (left + right) / 2 == near((date[0].left + date[-1].right) / 2, 0.6)
    assert date[-1].right == near(RIGHT - 4 * CHARACTER, 0.6)
    assert top < name[0].top < date[0].bottom < bottom
    assert 0 < top - em_bottom(above) < ROW
    assert (top + bottom) / 2 < (em_top(name) + em_bottom(date)) / 2


def test_joint_seals_stand_in_rows_that_do_not_touch(printed):
    organs = tuple(Signature(f"大府市第{n}局", seal()) for n in "一二三四五")
    measured = printed(signatures=organs, note="")
    boxes = [box for p in range(1, measured.result.pages + 1) for box in images(measured, p)]
    assert len(boxes) == 5
    for i, a in enumerate(boxes):
        assert LEFT <= a[0] < a[2] <= RIGHT
        for b in boxes[i + 1 :]:
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def test_seal_that_is_no_image_or_a_pixel_flood_is_refused(printed):  # check 30
    with pytest.raises(PictureError):
        printed(signatures=(Signature("局", Seal(b"<svg/>")),))
    with pytest.raises(PictureError) as raised:
        printed(signatures=(Signature("局", Seal(pixel_flood(30_000))),))
    assert raised.value.reason == "PICTURE_TOO_LARGE"


# ---- 7.3.7, 7.4, 7.5: attachments, imprint, page numbers ----


def test_attachment_begins_a_page_with_its_number_and_the_title_on_line_3(printed):
    attachments = (
        Attachment("值班安排表", (Paragraph.of(SENTENCE),)),
        Attachment("要求", (Paragraph.of("二"),)),
    )
    measured = printed(attachments=attachments)
    page = measured.result.pages
    assert words(measured.lines(page - 1)[0]) == "附件1"
    label, title = measured.lines(page)[:2]
    assert words(label) == "附件2"
    assert "FandolHei" in label[0].font
    assert (label[0].left, em_top(label)) == (near(LEFT), near(TOP))
    assert em_top(title, 22 * 25.4 / 72) == near(TOP + 2 * ROW)
    assert measured.rules(page), "the imprint stands after the attachments"
    assert not measured.rules(page - 1)


def test_imprint_ends_with_the_type_area_of_the_last_page(printed):
    measured = printed()
    first, inner, last = measured.rules(measured.result.pages)
    assert (last.top + last.bottom) / 2 == near(BOTTOM, 0.1)
    for line in (first, inner, last):
        assert (line.left, line.right) == (near(LEFT, 0.1), near(RIGHT, 0.1))
    thickness = [round(line.bottom - line.top, 2) for line in (first, inner, last)]
    assert thickness == [0.35, 0.25, 0.35]
    page = measured.result.pages
    copies, issue = measured.line(page, "抄送："), measured.lines(page)[-2]
    assert words(copies).endswith("。")
    assert words(issue) == "大府市人民政府办公室2026年9月9日印发"
    assert copies[0].left == near(LEFT + EM4) == issue[0].left
    assert issue[-1].right == near(RIGHT - EM4)
    assert {round(box.size, 1) for box in (*copies, *issue)} == {14.0}


def test_copies_hang_behind_the_colon(printed):
    measured = printed(copies=tuple(f"市第{n}委员会办公室" for n in "一二三四五六七八九"))
    lines = measured.lines(measured.result.pages)
    at = next(i for i, line in enumerate(lines) if words(line).startswith("抄送"))
    assert lines[at + 1][0].left == near(lines[at][3].left)


def test_imprint_that_does_not_fit_goes_to_the_bottom_of_a_new_page(printed):
    measured = printed(copies=("市级机关名称",) * 80)
    rules = measured.rules(measured.result.pages)
    assert (rules[-1].top + rules[-1].bottom) / 2 == near(BOTTOM, 0.1)
    with pytest.raises(LayoutError):
        printed(copies=("市级机关名称",) * 2_000)


def test_addressees_too_many_for_page_1_move_to_the_imprint(printed):
    measured = printed(addressees=("大府市某某区人民政府",) * 45, attachment_notes=())
    assert measured.result.addressees_moved
    assert any(words(line).startswith("各单位") for line in measured.lines(1))
    last = measured.result.pages
    assert measured.line(last, "主送：")[0].size == near(14)
    # No line between 主送 and 抄送: still one inner line.
    assert len(measured.rules(last)) == 3


def test_page_numbers_stand_7_below_the_type_area_odd_right_even_left(full):
    for page in (1, 2, 3):
        line = full.lines(page)[-1]
        dash = line[0]
        assert words(line) == f"—{page}—"
        assert (dash.top + dash.bottom) / 2 == near(BOTTOM + 7, 0.2)
        assert round(dash.size) == 14
        assert "FandolSong" in dash.font
        if page % 2:
            assert line[-1].right == near(RIGHT - EM4)
        else:
            assert line[0].left == near(LEFT + EM4)


# ---- 10: letter, order, minutes ----


def test_letter_has_its_mark_30_below_the_edge_and_double_lines_of_170(printed):
    measured = printed(kind=Kind.LETTER, copy_number="", attachment_notes=(), signatures=())
    mark = measured.line(1, "大府市人民政府办公室")
    assert words(mark) == "大府市人民政府办公室", "without 文件"
    assert min(box.top for box in mark) == near(30)
    above = measured.rules(1)[:2]
    below = measured.rules(1)[-2:]
    assert above[0].top - max(box.bottom for box in mark) == near(4)
    assert below[-1].bottom == near(297 - 20, 0.1)
    for line in (*above, *below):
        assert line.right - line.left == near(170, 0.1)
        assert (line.left + line.right) / 2 == near(105, 0.1)
    assert above[0].bottom - above[0].top > above[1].bottom - above[1].top
    assert below[0].bottom - below[0].top < below[1].bottom - below[1].top
    number = measured.line(1, "特急")
    assert words(number) == "特急大府办发〔2026〕12号"
    assert number[-1].right == near(RIGHT)
    assert em_top(number) - above[1].bottom == near(EM3 * 7 / 8)


def test_letter_numbers_pages_from_the_second_and_its_imprint_has_no_lines(printed):
    measured = printed(kind=Kind.LETTER, body=(Paragraph.of(SENTENCE * 30),))
    texts = [[words(line) for line in measured.lines(p)] for p in range(1, measured.result.pages + 1)]
    assert "—1—" not in texts[0]
    assert "—2—" in texts[1]
    assert not any("印发" in text for page in texts for text in page)
    assert not measured.rules(measured.result.pages)
    assert any(text.startswith("抄送：") for text in texts[-1])


def test_order_has_its_mark_20_below_the_type_area_top_and_no_red_line(printed):
    measured = printed(
        kind=Kind.ORDER, organ_marks=("大府市人民政府令",), document_number="第12号", title="", addressees=(),
        signatures=(Signature("市长　张建国"),), attachment_notes=(), copies=(), issuing_organ="",
        issued_on=None, copy_number="", urgency="", note="",
    )  # fmt: skip
    mark, number, text = measured.lines(1)[:3]
    assert words(mark) == "大府市人民政府令"
    assert min(box.top for box in mark) == near(TOP + 20)
    assert not measured.rules(1)
    assert em_top(number) - max(box.bottom for box in mark) == near(2 * ROW, 0.5)
    assert em_top(text) - em_bottom(number) == near(2 * ROW, 0.1)


def test_minutes_list_who_attended(printed):
    measured = printed(
        kind=Kind.MINUTES, organ_marks=("大府市人民政府常务会议纪要",), signatures=(), date=None,
        attachment_notes=(), attendances=(Attendance("出席", "张建国、李明"), Attendance("请假", "王伟")),
    )  # fmt: skip
    line = measured.line(measured.result.pages, "出席：张建国、李明")
    assert "FandolHei" in line[0].font
    assert "FandolFang" in line[-1].font
    assert min(b.top for b in measured.line(1, "大府市人民政府常务会议纪要")) == near(TOP + 35)


# ---- What holds for every sheet ----


def test_same_sheet_gives_same_bytes(folder):
    assert layout.render(SHEET, folder).pdf == layout.render(SHEET, folder).pdf


def test_typst_markup_is_text(printed):
    evil = '#panic("x") $x$ *a* _b_ @c <d> `e` \\u{41} #eval("1+1") // /* "quoted" '
    measured = printed(title=evil, body=(Paragraph.of(evil), Table(((evil,),))), note=evil, copies=(evil,))
    text = "".join(words(line) for p in range(1, measured.result.pages + 1) for line in measured.lines(p))
    assert text.count('#panic("x")$x$*a*_b_@c<d>`e`\\u{41}#eval("1+1")///*"quoted"') >= 3


def test_missing_characters_are_reported_and_printed_as_a_mark(printed):
    measured = printed(body=(Paragraph.of("联系人：朱镕基，面积12㎡。"),), signers=("李镕",))
    assert measured.result.missing_characters == "镕㎡"
    assert any("朱〓基" in words(line) for line in measured.lines(1))


def test_control_and_bidi_characters_are_not_printed(printed):
    measured = printed(body=(Paragraph.of("甲\u202e乙\x00丙\u200f丁\ufeff。"),))
    assert measured.result.missing_characters == ""
    assert any(words(line) == "甲乙丙丁。" for line in measured.lines(1))


def test_bold_page_break_and_ragged_table_are_laid_out(printed):
    body = (
        Paragraph((Run("普通"), Run("加粗", strong=True))), PageBreak(),
        Table((("序号", "内容"), ("1",), ("2", "第一行\n第二行"))), Table((("单格",),)), Paragraph.of("尾"),
    )  # fmt: skip
    measured = printed(body=body)
    texts = [words(line) for line in measured.lines(2)]
    assert "序号内容" in texts
    assert any("第二行" in text and "第一行" not in text for text in texts)


@pytest.mark.parametrize("place", list(CodePlace))
@pytest.mark.parametrize("kind", list(Kind))
def test_code_collides_with_nothing(printed, place, kind):
    for filler in (1, 9):
        changes = {"body": (Paragraph.of(SENTENCE * filler),), "code": code.encode(FIELDS)}
        measured = printed(kind=kind, code_place=place, **changes)
        page = measured.document[measured.result.code_page - 1]
        shapes = [o.get_bounds() for o in page.get_objects() if o.type == 2]
        small = [b for b in shapes if b[2] - b[0] < 100 * 72 / 25.4]
        assert small
        height = page.get_height()
        left, right = min(b[0] for b in small) / 72 * 25.4, max(b[2] for b in small) / 72 * 25.4
        top = (height - max(b[3] for b in small)) / 72 * 25.4
        bottom = (height - min(b[1] for b in small)) / 72 * 25.4
        assert 5 < top < bottom < 292.5
        assert LEFT - 0.1 < left < right < RIGHT + 0.1
        for box in measured.characters(measured.result.code_page):
            assert box.right < left or box.left > right or box.bottom < top or box.top > bottom, box
        for line in measured.rules(measured.result.code_page):
            assert line.bottom < top or line.top > bottom or line.right < left or line.left > right


def test_limits_and_contradictions_are_refused():
    from dataclasses import replace

    for changes in (
        {"organ_marks": ()}, {"document_number": "大府办发[2026]12号"}, {"title": "长" * 301},
        {"body": (Paragraph.of("长" * 400_001),)}, {"copies": ("长" * 20_001,)},
        {"signatures": (Signature("甲", Seal(b"")), Signature("乙"))}, {"signers": ("王",) * 31},
    ):  # fmt: skip
        with pytest.raises(SheetError) as raised:
            replace(SHEET, **changes)
        assert raised.value.zh
        assert raised.value.en
    with pytest.raises(SheetError):
        Table((("列",) * 21,))
    with pytest.raises(SheetError):
        Heading(5, "五级")


def test_thirty_joint_organs_still_fit(printed):
    names = tuple(f"大府市第{n}委员会办公室" for n in range(30))
    measured = printed(organ_marks=names, signatures=tuple(map(Signature, names)), signers=())
    text = "".join(words(line) for p in range(1, measured.result.pages + 1) for line in measured.lines(p))
    assert all(text.count(name) >= 1 for name in names)


def test_missing_fonts_are_named(tmp_path):
    with pytest.raises(FontsError) as raised:
        layout.render(SHEET, tmp_path)
    assert "FandolFang-Regular" in raised.value.zh


def test_a_page_takes_well_under_a_second(folder):
    layout.render(SHEET, folder)
    start = time.perf_counter()
    for number in range(20):
        layout.render(layout.Sheet(**{**SHEET.__dict__, "note": f"第{number}次"}), folder)
    assert (time.perf_counter() - start) / 20 < 0.5
