"""The comments of the .proto files, by the name of what they stand at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2


class Comments:
    """The comments of the .proto files, when `make gen` left a descriptor set with them."""

    def __init__(self, path: Path | None = None) -> None:
        self._texts: dict[str, str] = {}
        if path is not None and path.is_file():
            for file in descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file:
                self._read(file)

    def of(self, full_name: str) -> str:
        """The comment on a message, field, enum, value or method; '' without one."""
        return self._texts.get(full_name, "")

    def _read(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        for location in file.source_code_info.location:
            text = (location.leading_comments or location.trailing_comments).strip()
            name = _name_at(file, list(location.path)) if text else ""
            if name:
                self._texts[f"{file.package}.{name}"] = re.sub(r"\s*\n\s*", " ", text)


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """The name, below the package, of what a source path leads to; '' for anything but a named element."""
    here: Any = file
    names = []
    while path:
        if len(path) < 2:
            return ""
        number, index, *path = path
        field = here.DESCRIPTOR.fields_by_number.get(number)
        if field is None or not field.is_repeated or field.message_type is None:
            return ""
        here = getattr(here, field.name)[index]
        if not hasattr(here, "name"):
            return ""
        names.append(here.name)
    return ".".join(names)
