"""Files that are sent in for a draft or an answer: under a name that leads nowhere, and only where they are wanted."""

from __future__ import annotations

from collections.abc import Iterable

from chassis import filenames
from chassis.errors import invalid
from chassis.identity_types import Principal
from services.documents.model.elements import FileRef
from services.documents.model.incoming import Delivery
from services.documents.model.outgoing import Document
from services.documents.repository import Desk


def attached(
    desk: Desk,
    principal: Principal,
    matter: Document | Delivery,
    name: str,
    media_type: str,
    parts: Iterable[bytes],
) -> FileRef:
    """A file that was sent in, kept. `matter`, as it was just read, is asked first, before a byte is kept, whether it takes the file.

    Raises InvalidInput, Forbidden, WrongState, and what storing a file raises.
    """
    probe = FileRef(clean_name(name), media_type or "application/octet-stream", "", 0)
    matter.attach(principal, probe)
    stored = desk.files.put(parts, name=probe.name)
    return FileRef(probe.name, stored.media_type, stored.digest, stored.size)


def clean_name(name: str) -> str:
    """A file's bare name, fit to be shown and to be offered for download.

    Raises InvalidInput.
    """
    bare = filenames.bare(name)
    if not bare:
        raise invalid(file="文件名不能为空，请重新命名后再上传。")
    return bare
