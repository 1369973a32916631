"""Tokens: what becomes one, what stands beside what, and that highlighting agrees with them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.search import text


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("张　伟", [(0, "张"), (1, "伟")]),
        ("卫生、环境", [(0, "卫"), (1, "生"), (3, "环"), (4, "境")]),
        ("第一条。\n\n第二", [(0, "第"), (1, "一"), (2, "条"), (4, "第"), (5, "二")]),
        ("府办发〔2026〕12号", [(0, "府"), (1, "办"), (2, "发"), (4, "2026"), (6, "12"), (7, "号")]),
        ("（２０２６）１２号", [(0, "2026"), (2, "12"), (3, "号")]),
        ("GB/T 33190—2016", [(0, "gb"), (2, "t"), (3, "33190"), (5, "2016")]),
        ("Covid19", [(0, "covid"), (1, "19")]),
        ("二○二六", [(0, "二"), (1, "〇"), (2, "二"), (3, "六")]),
        ("cafe\u0301 ㎡ №5", [(0, "café"), (1, "m"), (2, "2"), (3, "no"), (4, "5")]),
        ("a\u200bb\ufeff", [(0, "ab")]),
        ("买买提·艾力", [(0, "买"), (1, "买"), (2, "提"), (4, "艾"), (5, "力")]),
        ("\ue123𠮷", [(0, "\ue123"), (1, "𠮷")]),
        ("\x00\ud800，", []),
        ("x" * 70, [(0, "x" * 64), (1, "x" * 6)]),
    ],
)
def test_tokens(given_text: str, expected: list[tuple[int, str]]) -> None:
    """Width, case and compatibility forms fold; punctuation takes one position, a blank takes none."""
    assert text.tokens(given_text) == expected


@given(st.text())
def test_folding_keeps_track_of_offsets(content: str) -> None:
    """Every range of folded text stands for a range of the original that is inside it."""
    folded = text.fold(content)
    for place in range(len(folded.text)):
        start, end = folded.span(place, place + 1)
        assert 0 <= start < end <= len(content)


@given(st.text(alphabet="一二 a1B，\n・e\u0301Ⅲ№", max_size=30), st.data())
def test_the_pattern_finds_what_the_tokens_say(content: str, data: st.DataObject) -> None:
    """A phrase cut out of a text's own tokens is found by its pattern, and one that is not there is not."""
    tokens = text.tokens(content)
    if not tokens:
        return
    start = data.draw(st.integers(0, len(tokens) - 1))
    piece = tokens[start : data.draw(st.integers(start + 1, len(tokens)))]
    phrase = tuple((place - piece[0][0], token) for place, token in piece)
    assert text.pattern(phrase).search(text.fold(content).text)
    absent = (*phrase, (phrase[-1][0] + 1, "无"))
    assert not text.pattern(absent).search(text.fold(content).text)


@pytest.mark.parametrize(
    "content",
    [" " * 200_000, "\n" * 200_000, "\u0301" * 200_000, "|_ " * 70_000, "e\u0301" * 100_000, "张 " * 100_000],
)
def test_no_text_is_slow(content: str) -> None:
    """Time grows with length, not with its square, whatever the text; a generous bound for a busy machine."""
    started = time.process_time()
    text.tokens(content)
    text.pattern(tuple(text.tokens("张，张伟"))).search(text.fold(content).text)
    assert time.process_time() - started < 2
