"""The code's text: what is written can be read, and nothing that is read does harm."""

import contextlib
import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.documents.printing.code import SEE_ADDRESSEES, Code, decode_payload, encode, plain
from services.documents.printing.errors import CodeError
from services.documents.printing.tests.measuring import FIELDS

# What a production generator writes for a document (standards.md §3).
EXAMPLE = (
    "GB0626-2005^20260000000000000001^大府市人民政府办公室^通知^大府办发〔2026〕12号^各区县人民政府，市政府各部门^"
    "关于做好2026年国庆节期间安全生产和值班值守工作的通知^无^无^20260918^公开发布^大府市人民政府办公室^20260918^^|"
)


def test_example_is_written_and_read():
    assert encode(FIELDS) == EXAMPLE
    assert decode_payload(EXAMPLE.encode("gb2312")) == replace(FIELDS, maker=FIELDS.issuer)


def test_utf8_13_and_15_elements_old_prefix_and_old_urgency_are_read():
    text = EXAMPLE.replace("^无^无^", "^机密10年^急件^").replace("GB0626-2005", "BQZNJH200802")
    code = decode_payload(text.encode())
    assert (code.classification, code.period, code.urgency) == ("机密", "10年", "加急")
    assert code.version == "BQZNJH200802"
    assert decode_payload(EXAMPLE.replace("^^|", "^|").encode("gb18030")).custom == ""
    assert decode_payload(EXAMPLE.replace("^^|", "^自用^第二^|").encode("gb18030")).custom == "自用 第二"
    assert decode_payload(EXAMPLE.removesuffix("|").encode("gb18030")).title == FIELDS.title


def test_jiaji_is_written_as_the_rules_of_2012_say():
    assert "^加急^" in encode(replace(FIELDS, urgency="急件"))


@pytest.mark.parametrize("level", ["无", "秘密", "机密", "绝密"])
def test_gb_bytes_of_the_obligatory_level_are_never_utf8(level):
    with pytest.raises(UnicodeDecodeError):
        level.encode("gb18030").decode("utf-8")


def test_long_fields():
    code = replace(FIELDS, title="长" * 100, addressees="主送机关" * 10, genre="种" * 20)
    read = decode_payload(encode(code).encode("gb18030"))
    assert read.title == "长" * 80
    assert read.addressees == SEE_ADDRESSEES
    assert read.genre == "种" * 15
    for wrong in (
        {"number": ""},
        {"number": "1" * 21},
        {"issuer": "关" * 21},
        {"document_number": "号" * 16},
    ):
        with pytest.raises(CodeError):
            encode(replace(FIELDS, **wrong))


LEVELS = st.sampled_from([("", ""), ("秘密", "5年"), ("机密", ""), ("绝密", "30年")])
TEXT = st.text(max_size=60)
# Up to 9FA5 a character takes two bytes; the later ones take four, and twenty of them would not fit into the element.
CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=20)
DATES = st.none() | st.dates()


@given(
    CHINESE,
    st.tuples(TEXT, TEXT, TEXT),
    LEVELS,
    st.sampled_from(["", "加急", "特急"]),
    st.tuples(DATES, DATES),
)
def test_any_text_makes_the_round_trip(issuer, texts, level, urgency, dates):
    (title, addressees, custom), (date, made_on) = texts, dates
    code = Code(
        number="1", issuer=issuer, title=title, addressees=addressees, classification=level[0],
        period=level[1], urgency=urgency, date=date, made_on=made_on, custom=custom, maker=issuer,
    )  # fmt: skip
    payload = encode(code)
    assert payload.count("^") == 14
    assert payload.endswith("|")
    assert payload.count("|") == 1
    read = decode_payload(payload.encode("gb18030"))

    def kept(text):
        return "" if plain(text) == "无" else plain(text)

    assert read.issuer == ("" if issuer == "无" else issuer)
    assert (read.date, read.made_on, read.urgency) == (date, made_on, urgency)
    assert (read.classification, read.period) == level
    assert kept(title).startswith(read.title)
    assert read.title == kept(title) or len(plain(title).encode("gb18030")) > 160
    assert read.addressees in (kept(addressees), SEE_ADDRESSEES)
    assert kept(custom).startswith(read.custom)


@given(st.binary(max_size=1200) | TEXT.map(lambda t: f"GB0626-2005^{t}".encode("gb18030", "ignore")))
def test_hostile_payloads_are_refused_or_read_and_never_crash(payload):
    with contextlib.suppress(CodeError):
        assert isinstance(decode_payload(payload), Code)


@given(st.lists(st.binary(max_size=30), min_size=10, max_size=18))
def test_hostile_elements_never_crash(elements):
    with contextlib.suppress(CodeError):
        assert isinstance(decode_payload(b"GB0626-2005^" + b"^".join(elements) + b"|"), Code)


def test_impossible_dates_count_as_blank():
    text = EXAMPLE.replace("20260918", "20261399")
    assert decode_payload(text.encode("gb18030")).date is None
    assert decode_payload(EXAMPLE.encode("gb18030")).date == dt.date(2026, 9, 18)
