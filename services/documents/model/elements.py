"""What a document is made of: the elements that the drafter fills in, and its files. Rules only, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import invalid
from chassis.words import GENRES, LEVELS

URGENCIES = ("", "加急", "特急")
TITLE_LENGTH, BODY_LENGTH, FILES, UNITS = 200, 200_000, 50, 300


@dataclass
class FileRef:
    """A file of a document: bytes are found by digest (SHA-256)."""

    name: str
    media_type: str
    digest: str
    size: int


@dataclass
class Elements:
    """What the drafter fills in (条例 Art 9)."""

    genre: str = "通知"
    title: str = ""
    body: str = ""
    addressees: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    urgency: str = ""
    level: int = 0
    period: str = ""
    note: str = ""
    reply_required: bool = False
    reply_by: datetime | None = None
    release: str = ""

    def check(self, highest_level: int) -> None:
        """Raise InvalidInput unless every element may be kept in a draft."""
        wrong: dict[str, str] = {}
        if self.genre not in GENRES:
            wrong["elements__genre"] = "文种须为《条例》规定的十五种之一。"
        if not self.title.strip() or len(self.title) > TITLE_LENGTH:
            wrong["elements__title"] = f"标题须为 1–{TITLE_LENGTH} 字。"
        if len(self.body) > BODY_LENGTH:
            wrong["elements__body"] = f"正文不能超过 {BODY_LENGTH} 字。"
        if self.urgency not in URGENCIES:
            wrong["elements__urgency"] = "紧急程度只能是加急或特急。"
        wrong |= self._check_level(highest_level)
        if len(self.addressees) + len(self.copies) > UNITS:
            wrong["elements__addressees"] = f"主送、抄送合计不能超过 {UNITS} 个单位。"
        if set(self.addressees) & set(self.copies):
            wrong["elements__copies"] = "同一单位不能既是主送又是抄送。"
        if wrong:
            raise invalid(**wrong)

    def _check_level(self, highest_level: int) -> dict[str, str]:
        if not 0 <= self.level < len(LEVELS):
            return {"elements__level": "密级不正确。"}
        if self.level > highest_level:
            return {"elements__level": f"本系统未启用{LEVELS[self.level]}级，涉密内容不得在此办理。"}
        if self.level and not self.period:
            return {"elements__period": "涉密公文须注明保密期限。"}
        return {}

    def complete(self) -> None:
        """Raise InvalidInput unless the document may be submitted."""
        wrong: dict[str, str] = {}
        if not self.body.strip():
            wrong["elements__body"] = "正文为空，不能送审。"
        if not self.addressees:
            wrong["elements__addressees"] = "请选择主送机关。"
        if self.genre == "请示" and len(self.addressees) > 1:
            wrong["elements__addressees"] = "请示只能主送一个机关。"
        if wrong:
            raise invalid(**wrong)
