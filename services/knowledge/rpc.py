"""The door: proto ↔ command, and the table who may call what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import grpc
from google.api import httpbody_pb2
from tongban.knowledge.v1 import knowledge_pb2 as pb
from tongban.knowledge.v1 import knowledge_pb2_grpc

from chassis import bounds
from chassis.context import caller
from chassis.door import callers
from chassis.errors import TooMuch, invalid
from chassis.idempotency import request_of
from chassis.settings import number
from chassis.times import moment
from chassis.uploads import LIMIT
from services.knowledge import commands, contents, intake, messages, metadata
from services.knowledge.commands import Shelf
from services.knowledge.model.description import KINDS, TITLE, UPLOADABLE, Description, admit_level, described
from services.knowledge.model.item import FILES, NOTE, File, Item
from services.knowledge.streams import Stream

_PERSON = callers("person")
WHO = {
    "SearchItems": _PERSON,
    "GetItem": _PERSON,
    "ReadItemFile": _PERSON,
    "ListCategories": _PERSON,
    "Suggest": _PERSON,
    "ListSimilarItems": _PERSON,
    "UploadItem": _PERSON,
    "UpdateItem": _PERSON,
    "WithdrawItem": _PERSON,
    "RestoreItem": _PERSON,
    "ImportItem": callers("service:knowledge"),
}

# Refused while nobody could keep their record: who may read something, and what is taken away.
SECURITY = frozenset({"UpdateItem", "WithdrawItem", "RestoreItem"})


class Knowledge(knowledge_pb2_grpc.KnowledgeServiceServicer):
    """tongban.knowledge.v1.KnowledgeService."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def SearchItems(
        self, request: pb.SearchItemsRequest, _rpc: grpc.ServicerContext
    ) -> pb.SearchItemsResponse:
        page = commands.search(
            self._shelf,
            caller(),
            words=request.words,
            kind=request.kind,
            year=request.year,
            issuer=request.issuer,
            category=request.category,
            keeper=request.keeper,
            withdrawn=request.withdrawn,
            order=request.order,
            size=bounds.page_size(request.page_size, 20, 100),
            after=request.page_token,
        )
        return pb.SearchItemsResponse(
            hits=[messages.hit(one, self._shelf.directory) for one in page.hits],
            total=page.total,
            facets=messages.facets(page, self._shelf.directory),
            next_page_token=page.next,
        )

    def GetItem(self, request: pb.GetItemRequest, _rpc: grpc.ServicerContext) -> pb.Item:
        item, version, text = commands.read(self._shelf, request.item, caller(), request.version)
        return messages.whole(item, caller(), self._shelf.directory, version, text)

    def ReadItemFile(
        self, request: pb.ReadItemFileRequest, _rpc: grpc.ServicerContext
    ) -> Iterator[httpbody_pb2.HttpBody]:
        file, pieces = commands.read_file(self._shelf, request.item, request.digest, caller())
        media_type = file.media_type
        for piece in pieces:
            yield httpbody_pb2.HttpBody(content_type=media_type, data=piece)
            media_type = ""

    def ListCategories(
        self, _request: pb.ListCategoriesRequest, _rpc: grpc.ServicerContext
    ) -> pb.ListCategoriesResponse:
        page = commands.search(self._shelf, caller(), words="", size=1)
        found = messages.facets(page, self._shelf.directory)
        homes = commands.homes(self._shelf.directory, caller())
        return pb.ListCategoriesResponse(facets=found, kinds=messages.kinds(), total=page.total, homes=homes)

    def Suggest(self, request: pb.SuggestRequest, _rpc: grpc.ServicerContext) -> pb.SuggestResponse:
        size = bounds.page_size(request.page_size, 8, 20)
        return pb.SuggestResponse(titles=commands.suggest(self._shelf, request.prefix, caller(), size))

    def ListSimilarItems(
        self, request: pb.ListSimilarItemsRequest, _rpc: grpc.ServicerContext
    ) -> pb.ListSimilarItemsResponse:
        found = commands.similar_to(self._shelf, request.item, caller())
        directory = self._shelf.directory
        return pb.ListSimilarItemsResponse(
            items=[messages.brief(hit.id, hit.revision, hit.stored["row"], directory) for hit in found]
        )

    def UploadItem(self, stream: Iterable[pb.UploadItemRequest], _rpc: grpc.ServicerContext) -> pb.Item:
        incoming = Stream(stream)
        header: pb.UploadHeader = incoming.header()
        principal, request = caller(), request_of(header)
        if len(header.note) > NOTE:
            raise invalid(note=f"版本说明不能超过 {NOTE} 个字。")
        if header.item:
            # Asked before any file is stored: who may not replace the content may not fill the store either.
            commands.access_kept(self._shelf.items.get(header.item), principal)
            sent = self._stored(incoming)
            item = commands.replace_content(
                self._shelf, header.item, sent, header.text, header.note, request, principal
            )
        else:
            told = metadata.tell(incoming.first_name(), "", "plain")
            title = header.title or header.text.strip().partition("\n")[0].lstrip("# ")[:TITLE] or told.title
            said = self._said(header, title, UPLOADABLE, header.readers)
            said, keeper = commands.admit(
                self._shelf, replace(said, date=said.date or told.date), header.keeper, principal
            )
            sent = self._stored(incoming)
            item = commands.upload(
                self._shelf, said, keeper, sent, header.text, header.note, request, principal
            )
        return self._whole(item)

    def UpdateItem(self, request: pb.UpdateItemRequest, _rpc: grpc.ServicerContext) -> pb.Item:
        said = self._said(request, request.title, KINDS, request.readers)
        return self._whole(commands.update(self._shelf, request.item, said, request_of(request), caller()))

    def WithdrawItem(self, request: pb.WithdrawItemRequest, _rpc: grpc.ServicerContext) -> pb.Item:
        return self._whole(commands.withdraw(self._shelf, request.item, request_of(request), caller()))

    def RestoreItem(self, request: pb.RestoreItemRequest, _rpc: grpc.ServicerContext) -> pb.Item:
        return self._whole(commands.restore(self._shelf, request.item, request_of(request), caller()))

    def ImportItem(
        self, stream: Iterable[pb.ImportItemRequest], _rpc: grpc.ServicerContext
    ) -> pb.ImportItemResponse:
        incoming = Stream(stream)
        header: pb.ImportHeader = incoming.header()
        if not header.path or len(header.path) > 500:
            raise invalid(path="缺少文件路径，或路径过长。")
        stamp = hashlib.sha256(header.SerializeToString(deterministic=True)).hexdigest()
        known = intake.imported(self._shelf, header.path, stamp)
        if known:
            return pb.ImportItemResponse(item=known, outcome=intake.UNCHANGED)
        title = metadata.tell(header.path, "", "plain").title
        said = self._said(header, title, KINDS, header.readers or ["all"])
        highest = int(number("HIGHEST_LEVEL", 0))
        admit_level(said.level, highest, highest)
        data = incoming.rest(int(number("FILE_BYTES", LIMIT)))
        if hashlib.sha256(data).hexdigest() != header.digest:
            raise invalid(digest="文件内容与校验值不符，请重新导入。")
        key, outcome = intake.import_file(
            self._shelf, said, header.path, data, stamp=stamp, keeper=header.keeper, issuer=header.issuer
        )
        return pb.ImportItemResponse(item=key, outcome=outcome)

    def _said(self, given: Any, title: str, kinds: Iterable[str], readers: Iterable[str]) -> Description:
        fields = given.DESCRIPTOR.fields_by_name
        return described(
            title,
            given.kind,
            readers,
            kinds=kinds,
            level=given.level,
            categories=given.categories,
            document_number=given.document_number if "document_number" in fields else "",
            date=moment(given.date) if "date" in fields else None,
        )

    def _stored(self, incoming: Stream) -> list[File]:
        sent: list[File] = []
        for name, pieces in incoming.files():
            if len(sent) >= FILES:
                raise TooMuch("TOO_MANY_FILES", f"一次最多上传 {FILES} 个文件。", "Too many files.")
            sent.append(contents.store_file(self._shelf.files, name, pieces))
        return sent

    def _whole(self, item: Item) -> pb.Item:
        text = contents.text_of(self._shelf.files, item.content)
        return messages.whole(item, caller(), self._shelf.directory, None, text)
