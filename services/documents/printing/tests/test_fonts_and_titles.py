"""Which characters the fonts have, and how titles are broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.documents.printing import fonts, titles
from services.documents.printing.errors import FontsError


def test_fandol_has_gb2312_but_not_every_name(folder):
    fontset = fonts.open_fonts(folder)
    rows = (bytes((a, b)) for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF))
    hanzi = [pair.decode("gb2312", "ignore") for pair in rows]
    assert fontset.missing(hanzi) == ""
    assert fontset.missing(["朱镕基", "镕㎡"]) == "镕㎡"
    assert fontset.families["fang"][0].startswith("FandolFang")


def test_damaged_font_is_named(folder, tmp_path):
    for path in folder.rglob("*.otf"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "FandolKai-Regular.otf").write_bytes(b"OTTO\xff\xff")
    with pytest.raises(FontsError):
        fonts.open_fonts(tmp_path)


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("通知", ["通知"]),
        ("关于召开全市经济工作会议的通知", ["关于召开全市经济工作会议的通知"]),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("", []),
    ],
)
def test_titles(title, lines):
    assert titles.lines(title) == lines


def test_long_title_breaks_between_words_into_balanced_lines():
    title = "大府市人民政府办公室关于做好2026年国庆节期间安全生产和值班值守工作的通知"
    lines = titles.lines(title)
    assert "".join(lines) == title
    assert len(lines) == 2
    for word in ("国庆节", "2026年", "安全", "生产", "通知"):
        assert any(word in line for line in lines)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=300))
def test_no_character_of_a_title_is_lost_and_no_line_is_too_wide(title):
    lines = titles.lines(title)
    assert "".join(lines) == title
    assert all(titles.width(line) <= titles.WIDEST for line in lines) or len(lines) == 1
