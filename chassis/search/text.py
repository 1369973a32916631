"""How text becomes tokens, for the index and for what a user types alike.

Each Chinese (and kana, hangul, Yi) character is a token of its own; a run of other letters and a run of
digits are one token each, folded to half width and lower case (NFKC). Tokens stand at consecutive
positions. Any run of punctuation, symbols or line ends takes up exactly one position, so a phrase never
crosses it unless the phrase has punctuation in the same place, whichever: "〔2026〕12号" finds
"(2026)12号", while "卫生环境" does not find "卫生、环境". Spaces do not count, because official documents
pad names with them ("张　伟").
"""

import functools
import re
import string
import unicodedata
from typing import NamedTuple

import rjieba

VERSION = 1
"""Raise this whenever tokens change: it is in the schema's digest, so that old indexes ask for a rebuild."""

BREAK = "|"
"""The token that stands for a run of punctuation. The analyser drops it but counts its position."""

TOKEN_LENGTH = 64
"""Longer runs are cut into pieces at consecutive positions, so they still match, as a phrase of pieces."""

_CJK = (
    "\u3005-\u3007\u3021-\u3029\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
    # Rare characters of names are often typed from the private-use area.
    "\ue000-\uf8ff"
)
_MANY = 30
_LINE_ENDS = "\n\r\v\f\x1c-\x1f\x85\u2028\u2029"
_BLANK = rf"(?:(?![{_LINE_ENDS}])\s)"


def _survey() -> tuple[dict[str, str], list[str], list[str]]:
    """Give the characters that folding replaces one to one, those that change length, and combining marks.

    One-to-one replacements keep offsets as they are, and nearly all text needs no others.
    """
    single: dict[str, str] = {}
    changing: list[str] = []
    marks: list[str] = []
    planes = (
        range(0x80, 0xD800),
        range(0xE000, 0x10000),
        range(0x1D400, 0x1D800),
        range(0x1F100, 0x1F200),
        range(0x2F800, 0x2FA20),
    )
    for code in (code for plane in planes for code in plane):
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] == "M":
            marks.append(character)
        elif category == "Cf":
            changing.append(character)
        else:
            folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).lower())
            if folded == character:
                continue
            if len(folded) == 1:
                single[character] = folded
            elif any(part.isalnum() for part in folded):
                changing.append(character)
    # Numbers such as 二○二六 are commonly typed with a circle sign instead of the character 〇.
    single |= {"○": "〇", "◯": "〇"} | dict(zip(string.ascii_uppercase, string.ascii_lowercase, strict=True))
    return single, changing, marks


def _ranges(characters: list[str]) -> str:
    """Write the characters, which come in order, as the inside of a regular expression's character class."""
    spans: list[list[int]] = []
    for code in map(ord, characters):
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in spans)


_SINGLE, _CHANGING_LIST, _MARKS_LIST = _survey()
_SINGLE_TABLE = str.maketrans(_SINGLE)
_SPECIAL = {*_CHANGING_LIST, *_MARKS_LIST}
_CHANGING, _MARKS = _ranges(_CHANGING_LIST), _ranges(_MARKS_LIST)
# Clusters are bounded because ordering a long run of combining marks takes quadratic time.
_EXPAND = re.compile(rf"[{_CHANGING}][{_MARKS}]{{0,32}}|[^{_MARKS}]?[{_MARKS}]{{1,32}}")
# The alternatives never overlap and the repetition is possessive, so that no text can make matching slow.
_BREAKS = re.compile(rf"(?:[^\w\s{_MARKS}\ue000-\uf8ff]|[_{_LINE_ENDS}])(?:[^\w{_MARKS}\ue000-\uf8ff]|_)*+")
_LETTER = rf"(?:(?![{_CJK}])[^\W\d_]|[{_MARKS}])"
_TOKEN = re.compile(rf"\{BREAK}|[{_CJK}]|\d{{1,{TOKEN_LENGTH}}}|{_LETTER}{{1,{TOKEN_LENGTH}}}")


class Folded(NamedTuple):
    """Text as it is compared; `origin[i]` is where its i-th character came from (None: from i)."""

    text: str
    origin: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Translate a range of the folded text to the text it was made from."""
        if self.origin is None:
            return start, end
        first = self.origin[start]
        return first, max(first + 1, self.origin[end])


def fold(text: str) -> Folded:
    """Fold width, case and compatibility forms (NFKC); invisible format characters vanish."""
    if text.isascii():
        return Folded(text.lower(), None)
    alphabet = set(text)
    replaced = alphabet & _SINGLE.keys()
    # A few replacements over the whole text are many times faster than looking up each character.
    if len(replaced) < _MANY:
        for character in replaced:
            text = text.replace(character, _SINGLE[character])
    else:
        text = text.translate(_SINGLE_TABLE)
    if alphabet.isdisjoint(_SPECIAL):
        return Folded(text, None)
    parts: list[str] = []
    origin: list[int] = []
    done = 0
    for match in _EXPAND.finditer(text):
        start, end = match.span()
        cluster = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", match[0]).lower())
        cluster = "".join(part for part in cluster if unicodedata.category(part) != "Cf")
        parts += text[done:start], cluster
        origin += range(done, start)
        origin += [start] * len(cluster)
        done = end
    parts.append(text[done:])
    origin += range(done, len(text) + 1)
    return Folded("".join(parts), origin)


def stream(folded: str) -> str:
    """Give the tokens of a folded text with blanks between, `BREAK` for punctuation: the analyser's input."""
    return " ".join(_TOKEN.findall(_BREAKS.sub(BREAK, folded)))


def tokens(text: str) -> list[tuple[int, str]]:
    """Give (position, token), beginning at position 0; a run of punctuation leaves one position out."""
    found = [(place, token) for place, token in enumerate(stream(fold(text).text).split()) if token != BREAK]
    return [(place - found[0][0], token) for place, token in found]


def words(folded: str) -> list[str]:
    """Give a folded text's words of two or more characters, by dictionary.

    They only rank; too many or too few never change what is found.
    """
    # Half a surrogate pair, which the engine cannot take, may reach Python in JSON.
    valid = folded.encode(errors="replace").decode()
    return [word for word in rjieba.cut(valid) if len(word) > 1 and word.isalnum()]


@functools.lru_cache(maxsize=1024)
def pattern(phrase: tuple[tuple[int, str], ...]) -> re.Pattern[str]:
    """Make the regular expression that finds a phrase of `tokens` in folded text, as the index does."""
    parts: list[str] = []
    previous: tuple[int, str] | None = None
    for place, token in phrase:
        kind = _edge(token)
        if previous is not None:
            gap = place - previous[0] > 1
            same_run = (
                bool(kind) and kind == _edge(previous[1]) and not gap and len(previous[1]) < TOKEN_LENGTH
            )
            parts.append(rf"{_BLANK}{'++' if same_run else '*+'}{_BREAKS.pattern if gap else ''}")
        elif kind:
            parts.append(f"(?<!{kind})")
        parts.append(re.escape(token))
        previous = place, token
    if previous is not None and (kind := _edge(previous[1])) and len(previous[1]) < TOKEN_LENGTH:
        parts.append(f"(?!{kind})")
    return re.compile("".join(parts))


def _edge(token: str) -> str:
    """Give what may not touch a token's ends: a digit for numbers, a letter for words."""
    if token[0].isdigit() and not re.match(f"[{_CJK}]", token[0]):
        return r"\d"
    return "" if re.match(f"[{_CJK}]", token[0]) else _LETTER
