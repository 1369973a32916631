"""What the knowledge base keeps: items in versions, and the rules of who reads and changes them.

An item comes from one of three sources. `documents`: a concluded official document with its whole course; what it says is the
document service's affair, people only sort it into categories. `import`: a file of a folder. `upload`: a person, for a unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chassis.aggregate import Aggregate
from chassis.errors import forbidden, wrong_state
from chassis.identity_types import Principal
from services.knowledge.model.description import Description

FILES, VERSIONS = 20, 200  # most of each
NOTE = 500  # longest note of a version, in characters
INLINE = 4_000  # a text up to so many characters stands in the record itself
EXCERPT = 160


@dataclass(frozen=True)
class File:
    """One file of an item; `digest` is its key in this service's own files."""

    name: str
    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Step:
    """One line of a matter's course: who did what, when, on whose behalf, with which words."""

    time: datetime | None
    person: str
    on_behalf_of: str
    unit: str
    action: str
    opinion: str
    outcome: str


@dataclass(frozen=True)
class Content:
    """What an item says.

    text: all of it when short, else empty and `text_file` is its key in the files; format: "plain" or
    "markdown"; digest: SHA-256 over text and files, by which a repetition is recognised.
    """

    digest: str
    format: str = "plain"
    text: str = ""
    text_file: str = ""
    excerpt: str = ""
    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Version:
    """One content that the item has, or had."""

    number: int
    at: datetime
    by: str
    note: str
    content: Content


@dataclass(kw_only=True)
class Item(Aggregate):
    """One item of the knowledge base.

    source, matter: where it comes from (see the module) and what it is there; sequence: of the event that filed it; stamp: digest
    of what the import was told, so that the same import is recognised; keeper: the unit that looks after it.
    """

    title: str
    kind: str
    source: str
    matter: str
    created_at: datetime
    updated_at: datetime
    created_by: str = ""
    keeper: str = ""
    issuing_unit: str = ""
    issuer: str = ""
    document_number: str = ""
    genre: str = ""
    urgency: str = ""
    date: datetime | None = None
    level: int = 0
    readers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    addressees: tuple[str, ...] = ()
    course: tuple[Step, ...] = ()
    versions: list[Version] = field(default_factory=list)
    state: str = "current"
    sequence: int = 0
    stamp: str = ""

    @property
    def content(self) -> Content:
        """The present content."""
        return self.versions[-1].content

    @property
    def version(self) -> int:
        """The number of the present version."""
        return self.versions[-1].number

    def at_version(self, number: int) -> Version | None:
        """The version with this number, 0 for the present one; None when there is no such version."""
        if number == 0:
            return self.versions[-1]
        return next((one for one in self.versions if one.number == number), None)

    def keepers(self) -> tuple[str, ...]:
        """The tokens of who looks after the item: who brought it in, its unit's registrar and head."""
        own = (f"p:{self.created_by}",) if self.created_by else ()
        return (*own, f"u:{self.keeper}:registrar", f"u:{self.keeper}:head") if self.keeper else own

    def audience(self) -> tuple[str, ...]:
        """The tokens of those who may see it now, as search and reading both use them."""
        return self.readers if self.state == "current" else self.keepers()

    def readable_by(self, principal: Principal) -> bool:
        """Whether this person may see it."""
        return self.level <= principal.clearance and not principal.tokens.isdisjoint(self.audience())

    def kept_by(self, principal: Principal) -> bool:
        """Whether this person looks after it."""
        return self.readable_by(principal) and not principal.tokens.isdisjoint(self.keepers())

    def describe(self, said: Description, at: datetime) -> None:
        """Take over what a person said about the item.

        Raises Forbidden for a filed document, of which only the categories are the knowledge base's own.
        """
        self._must_be_current()
        if self.source == "documents" and said != self.description(said.categories):
            raise forbidden("归档公文的题目、文号和阅读范围以公文系统为准，这里只能修改分类。")
        self.title, self.kind, self.document_number = said.title, said.kind, said.document_number
        self.date, self.level, self.readers, self.categories = (
            said.date,
            said.level,
            said.readers,
            said.categories,
        )
        self.updated_at = at

    def replace(self, content: Content, by: str, at: datetime, note: str = "") -> None:
        """Put a new version in the place of the present content; the same content changes nothing.

        Raises Forbidden for a filed document, WrongState for a withdrawn item and at the limit of versions.
        """
        self._must_be_current()
        if self.source == "documents":
            raise forbidden("归档公文的内容以公文系统为准，不能在这里替换。")
        if content.digest == self.content.digest:
            return
        self._add(content, by, at, note)

    def refile(self, newer: Item) -> None:
        """Take over a later filing of the same document; categories given by people stay."""
        for name in (
            "title",
            "kind",
            "issuing_unit",
            "keeper",
            "document_number",
            "genre",
            "urgency",
            "date",
            "level",
            "readers",
            "addressees",
            "course",
            "sequence",
            "updated_at",
        ):
            setattr(self, name, getattr(newer, name))
        if newer.content.digest != self.content.digest:
            self._add(newer.content, "", newer.updated_at, "")

    def reimport(self, newer: Item) -> None:
        """Take over a changed file, or the same file imported with other words about it."""
        for name in (
            "title",
            "kind",
            "keeper",
            "issuer",
            "document_number",
            "date",
            "level",
            "readers",
            "categories",
            "stamp",
            "updated_at",
        ):
            setattr(self, name, getattr(newer, name))
        if newer.content.digest != self.content.digest:
            self._add(newer.content, "", newer.updated_at, "重新导入")

    def withdraw(self, at: datetime) -> None:
        """Hide the item from everybody but its keepers."""
        if self.source == "documents":
            raise forbidden("归档公文不能撤下。")
        self._must_be_current()
        self.state, self.updated_at = "withdrawn", at

    def restore(self, at: datetime) -> None:
        """Show a withdrawn item to its readers again."""
        if self.state != "withdrawn":
            raise wrong_state("该资料没有撤下，无需恢复。")
        self.state, self.updated_at = "current", at

    def _add(self, content: Content, by: str, at: datetime, note: str) -> None:
        if len(self.versions) >= VERSIONS:
            raise wrong_state(f"版本数已达 {VERSIONS} 个的上限，请新建资料。", "TOO_MANY_VERSIONS")
        self.versions.append(Version(self.version + 1, at, by, note, content))
        self.updated_at = at

    def _must_be_current(self) -> None:
        if self.state != "current":
            raise wrong_state("该资料已撤下，请先恢复。")

    def description(self, categories: tuple[str, ...]) -> Description:
        """What is said about the item now, but for other categories."""
        return Description(
            self.title, self.kind, self.readers, self.document_number, self.date, self.level, categories
        )
