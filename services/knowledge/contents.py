"""Content on its way into the base: files stored, text taken out, both put together with a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from chassis import filenames
from chassis.errors import InvalidInput, NotFound
from chassis.files import Files
from services.knowledge import extraction, metadata
from services.knowledge.extract import Extracted, unreadable
from services.knowledge.model.item import FILES, INLINE, Content, File

_HEAD = 1024


def clean_name(name: str) -> str:
    """A file's name without path, control characters and what no file system keeps."""
    return filenames.bare(name) or "未命名"


def store_file(files: Files, name: str, parts: Iterable[bytes]) -> File:
    """Store one file; its type is told from its content.

    Raises what chassis.uploads.received raises.
    """
    stored = files.put(parts, name=clean_name(name))
    return known_file(files, name, stored.digest, stored.size)


def known_file(files: Files, name: str, digest: str, size: int) -> File:
    """A file whose content is in the store already."""
    name = clean_name(name)
    head = next(files.read(digest), b"")[:_HEAD]
    return File(name, extraction.media_type(name, head), digest, size)


def holds(files: Files, digest: str) -> bool:
    """Whether this content is in the store."""
    try:
        next(files.read(digest), b"")
    except NotFound:
        return False
    return True


def of_upload(files: Files, sent: Sequence[File], text: str) -> tuple[Content, Extracted]:
    """The content that a person sent: what was written, else the text of the first file that has any.

    Raises InvalidInput when there is nothing at all, or a file is damaged.
    """
    if not sent and not text.strip():
        raise unreadable("请上传文件，或填写正文。", "FILE_EMPTY")
    if len(sent) > FILES:
        raise unreadable(f"一次最多上传 {FILES} 个文件。", "TOO_MANY_FILES")
    found = Extracted(text.strip(), "markdown") if text.strip() else _first_text(files, sent)
    return put_together(files, found, sent), found


def put_together(files: Files, found: Extracted, sent: Sequence[File], original: bytes = b"") -> Content:
    """A content of text and files. A long text becomes a file; if it equals `original`, that very file."""
    data = found.text.encode()
    text_digest = hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256(
        "\n".join([found.format, text_digest, *(f"{one.name}/{one.digest}" for one in sent)]).encode()
    )
    short = len(found.text) <= INLINE
    if not short and data != original:
        files.put([data], own=True)
    return Content(
        digest=digest.hexdigest(),
        format=found.format,
        text=found.text if short else "",
        text_file="" if short else text_digest,
        excerpt=metadata.excerpt(found.text, found.format),
        files=tuple(sent),
    )


def text_of(files: Files, content: Content) -> str:
    """The whole text of a content."""
    return files.content(content.text_file).decode() if content.text_file else content.text


def _first_text(files: Files, sent: Sequence[File]) -> Extracted:
    for one in sent:
        if not extraction.kind_of(one.name):
            continue
        try:
            return extraction.text_of(one.name, files.content(one.digest))
        except InvalidInput as problem:
            # A scan has no words; it is kept and found by its title. A damaged file is refused.
            if problem.reason != "FILE_EMPTY":
                raise
    return Extracted("", "plain")
