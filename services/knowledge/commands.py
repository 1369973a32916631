"""What can be done with the knowledge base, one function each. Items are reached through access_* only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from chassis import audit, clock
from chassis.aggregate import Request
from chassis.directory import Directory
from chassis.errors import forbidden, invalid, not_found
from chassis.files import Files
from chassis.identity_types import Principal
from chassis.registry import Registry
from chassis.repository import Repository
from chassis.search import Hit, Page
from chassis.settings import number
from services.knowledge import contents, registry, similar
from services.knowledge.model.description import UPLOADABLE, Description, admit_level
from services.knowledge.model.item import Content, File, Item, Version


@dataclass(frozen=True)
class Shelf:
    """What the commands work on."""

    items: Repository[Item]
    files: Files
    registry: Registry
    directory: Directory


# --- Reading


def access_item(shelf: Shelf, key: str, principal: Principal) -> Item:
    """The item, if this person may see it.

    Raises NotFound, also for what is there and not for this person.
    """
    return access_read(shelf.items.get(key), principal)


def access_read(item: Item, principal: Principal) -> Item:
    """The item, if this person may see it.

    Raises NotFound.
    """
    audit.mark(level=item.level)
    if not item.readable_by(principal):
        raise not_found("资料")
    return item


def access_kept(item: Item, principal: Principal) -> Item:
    """The item, if this person looks after it.

    Raises NotFound; Forbidden when the person may only read it.
    """
    access_read(item, principal)
    if not item.kept_by(principal):
        raise forbidden("只有上传人和保管单位的文书、负责人可以修改。")
    return item


def search(shelf: Shelf, principal: Principal, **asked: object) -> Page:
    """A page of what this person may see; `asked` as services.knowledge.registry.question takes it."""
    return shelf.registry.search(registry.question(**asked), principal)  # type: ignore[arg-type]


def read(shelf: Shelf, key: str, principal: Principal, version: int = 0) -> tuple[Item, Version, str]:
    """An item, one of its versions (0: the present one) and that version's text. Raises NotFound."""
    item = access_item(shelf, key, principal)
    found = item.at_version(version)
    if found is None:
        raise not_found("版本")
    return item, found, contents.text_of(shelf.files, found.content)


def read_file(shelf: Shelf, key: str, digest: str, principal: Principal) -> tuple[File, Iterator[bytes]]:
    """A file of any version of an item, and its bytes in pieces. Raises NotFound."""
    item = access_item(shelf, key, principal)
    for version in reversed(item.versions):
        for file in version.content.files:
            if file.digest == digest:
                return file, shelf.files.read(digest)
    raise not_found("文件")


def suggest(shelf: Shelf, prefix: str, principal: Principal, size: int) -> list[str]:
    """Titles that contain what was typed so far."""
    return shelf.registry.suggestions(prefix, principal)[:size] if prefix.strip() else []


def similar_to(shelf: Shelf, key: str, principal: Principal) -> list[Hit]:
    """Items about the same subject, nearest first."""
    item = access_item(shelf, key, principal)
    return similar.find(item, lambda query: shelf.registry.search(query, principal))


# --- What people do


def admit(shelf: Shelf, said: Description, keeper: str, principal: Principal) -> tuple[Description, str]:
    """The description with its audience spelt out, and the keeping unit, both checked against the person.

    Raises InvalidInput.
    """
    admit_level(said.level, principal.clearance, int(number("HIGHEST_LEVEL", 0)))
    own = homes(shelf.directory, principal)
    keeper = keeper or (own[0] if own else "")
    if keeper not in own:
        raise invalid(keeper="只能为本单位上传资料。")
    return replace(said, readers=_audience(shelf.directory, [*said.readers, f"u:{keeper}"])), keeper


def upload(
    shelf: Shelf,
    said: Description,
    keeper: str,
    sent: Sequence[File],
    text: str,
    note: str,
    request: Request,
    principal: Principal,
) -> Item:
    """Bring in a new item; `said` and `keeper` have been admitted."""
    content, _ = contents.of_upload(shelf.files, sent, text)
    at = clock.now()
    key = request.new_id("u")
    item = Item(
        id=key,
        title="",
        kind=said.kind,
        source="upload",
        matter=key,
        created_at=at,
        updated_at=at,
        created_by=principal.person,
        keeper=keeper,
        issuing_unit=keeper,
        issuer="",
        versions=[Version(1, at, principal.person, note, content)],
    )
    item.describe(said, at)
    return _saw(shelf, shelf.items.add(item, bound(request, content)))


def replace_content(
    shelf: Shelf, key: str, sent: Sequence[File], text: str, note: str, request: Request, principal: Principal
) -> Item:
    """Give an item a new version. Raises NotFound, Forbidden, WrongState, InvalidInput, Conflict."""
    content, _ = contents.of_upload(shelf.files, sent, text)
    return _change(
        shelf,
        key,
        bound(request, content),
        principal,
        lambda item: item.replace(content, principal.person, clock.now(), note),
    )


def update(shelf: Shelf, key: str, said: Description, request: Request, principal: Principal) -> Item:
    """Change what is said about an item. Raises NotFound, Forbidden, WrongState, InvalidInput, Conflict."""

    def step(item: Item) -> None:
        item.describe(_fitting(shelf, item, said, principal), clock.now())

    return _change(shelf, key, request, principal, step)


def _fitting(shelf: Shelf, item: Item, said: Description, principal: Principal) -> Description:
    if said.kind not in UPLOADABLE and said.kind != item.kind:
        raise invalid(kind="请选择资料类别。")
    if item.source != "documents":
        admit_level(said.level, principal.clearance, max(item.level, int(number("HIGHEST_LEVEL", 0))))
        keeper = [f"u:{item.keeper}"] if item.keeper else []
        said = replace(said, readers=_audience(shelf.directory, [*said.readers, *keeper]))
    if not said.readers:
        raise invalid(readers="请选择阅读范围。")
    return said


def withdraw(shelf: Shelf, key: str, request: Request, principal: Principal) -> Item:
    """Hide an item from everybody but its keepers. Raises NotFound, Forbidden, WrongState, Conflict."""
    return _change(shelf, key, request, principal, lambda item: item.withdraw(clock.now()))


def restore(shelf: Shelf, key: str, request: Request, principal: Principal) -> Item:
    """Show a withdrawn item again. Raises NotFound, Forbidden, WrongState, Conflict."""
    return _change(shelf, key, request, principal, lambda item: item.restore(clock.now()))


def bound(request: Request, content: Content) -> Request:
    """The request with the content in its digest: the same id with other bytes is another request."""
    return replace(
        request, digest=hashlib.sha256(f"{request.digest}\n{content.digest}".encode()).hexdigest()[:32]
    )


def _change(
    shelf: Shelf, key: str, request: Request, principal: Principal, step: Callable[[Item], None]
) -> Item:
    return _saw(shelf, shelf.items.change(key, request, step, partial(access_kept, principal=principal)))


def _saw(shelf: Shelf, item: Item) -> Item:
    shelf.registry.saw(item)
    return item


def homes(directory: Directory, principal: Principal) -> list[str]:
    """The units for which a person may keep items: the organisations of the posts, else the units."""
    return list(dict.fromkeys(directory.organisation(unit) or unit for unit in principal.units))


def _audience(directory: Directory, tokens: Iterable[str]) -> tuple[str, ...]:
    """The tokens with the divisions of each chosen organisation, whose people answer to the division only."""
    spelt: list[str] = []
    for token in tokens:
        spelt.append(token)
        kind, _, unit = token.partition(":")
        if kind == "u" and ":" not in unit:
            spelt += [f"u:{division}" for division in _divisions(directory, unit)]
    return tuple(dict.fromkeys(spelt))


def _divisions(directory: Directory, unit: str) -> Iterator[str]:
    for child in directory.children(unit):
        if child.kind == "division":
            yield child.unit
            yield from _divisions(directory, child.unit)
