"""Items that people bring in: rights, versions, repetition, files."""

from __future__ import annotations

import hashlib

import pytest
from tongban.knowledge.v1 import knowledge_pb2 as pb

from chassis.errors import Conflict, Forbidden, InvalidInput, NotFound
from services.knowledge.tests.integration.conftest import AS
from tests.inprocess import eventually

pytestmark = pytest.mark.integration


def get(knowledge, person, item, **more):
    return knowledge.call("GetItem", pb.GetItemRequest(item=item, **more), AS[person])


def found(answer):
    return {hit.item.item for hit in answer.hits}


def test_an_uploaded_text_is_found_by_its_readers_only(knowledge, upload, search, file_bytes):
    made = upload(
        "wenshu", {"值班经验(2024-05-06).md": "# 值班\n\n**紫云英**种植经验".encode()}, kind="experience"
    )
    assert (made.title, made.keeper, made.version, made.may_edit) == ("值班经验", "zfb", 1, True)
    assert made.date.ToDatetime().isoformat() == "2024-05-05T16:00:00"
    assert set(made.readers) == {"u:zfb", "u:zfb-mishu"}, (
        "a division's people answer to the division's token only"
    )
    # A writer sees its own write at once; a colleague a moment later; a stranger never.
    answer = search("wenshu", "紫云英")
    assert found(answer) == {made.item}
    snippet = next(one for one in answer.hits[0].snippets if one.field == "body")
    assert snippet.text[snippet.ranges[0].start : snippet.ranges[0].end] == "紫云英"
    assert found(search("mishu", "紫云英")) == {made.item}
    assert search("keyuan", "紫云英").total == 0
    assert get(knowledge, "mishu", made.item).text.startswith("# 值班")
    for method, request in (
        ("GetItem", pb.GetItemRequest(item=made.item)),
        ("ListSimilarItems", pb.ListSimilarItemsRequest(item=made.item)),
        ("WithdrawItem", pb.WithdrawItemRequest(item=made.item, request_id="r" * 8)),
    ):
        with pytest.raises(NotFound):
            knowledge.call(method, request, AS["keyuan"])
    with pytest.raises(NotFound):
        file_bytes("keyuan", made.item, made.files[0].digest)


def test_files_come_back_byte_by_byte_with_a_type_that_their_content_proves(upload, file_bytes):
    # A picture by its content, whatever its name says.
    data = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5000
    made = upload(
        "wenshu",
        {"说明.txt": "说明文字".encode(), "../../坏<名>.html": b"<script>1</script>", "图.pdf": data},
        kind="reference",
    )
    assert [one.name for one in made.files] == ["说明.txt", "坏名.html", "图.pdf"]
    assert [one.media_type for one in made.files] == [
        "text/plain; charset=utf-8",
        *["application/octet-stream"] * 2,
    ]
    assert file_bytes("mishu", made.item, hashlib.sha256(data).hexdigest()) == (
        "application/octet-stream",
        data,
    )


def test_the_same_request_is_one_effect_and_other_content_is_refused(upload, search):
    first = upload(
        "wenshu", {"a.txt": "木芙蓉甲".encode()}, kind="reference", title="甲", request_id="request-0001"
    )
    again = upload(
        "wenshu", {"a.txt": "木芙蓉甲".encode()}, kind="reference", title="甲", request_id="request-0001"
    )
    assert first == again
    with pytest.raises(InvalidInput) as refused:
        upload(
            "wenshu", {"a.txt": "木芙蓉乙".encode()}, kind="reference", title="甲", request_id="request-0001"
        )
    assert refused.value.reason == "REQUEST_ID_REUSED"
    assert search("wenshu", "木芙蓉").total == 1


def test_a_new_version_replaces_the_content_and_keeps_the_former(knowledge, upload, search):
    made = upload("wenshu", kind="template", title="范文", text="旧稿山茱萸")
    newer = upload("wenshu", {"新稿.txt": "新稿白头翁".encode()}, item=made.item, etag=made.etag, note="改写")
    assert (newer.version, newer.text, [one.note for one in newer.versions]) == (
        2,
        "新稿白头翁",
        ["改写", ""],
    )
    assert get(knowledge, "wenshu", made.item, version=1).text == "旧稿山茱萸"
    assert (search("wenshu", "白头翁").total, search("wenshu", "山茱萸").total) == (1, 0)
    with pytest.raises(Conflict):
        upload("wenshu", text="又一稿", item=made.item, etag=made.etag)
    with pytest.raises(Forbidden):
        upload("mishu", text="别人的稿", item=made.item)
    same = upload("wenshu", {"新稿.txt": "新稿白头翁".encode()}, item=made.item)
    assert same.version == 2, "the same content is no new version"


def test_a_withdrawn_item_is_seen_by_its_keepers_only_and_comes_back(knowledge, upload, search):
    made = upload("mishu", kind="reference", title="待撤资料鹅掌楸", text="正文", readers=["all"])
    assert eventually(lambda: search("keyuan", "鹅掌楸").total == 1)
    gone = knowledge.call(
        "WithdrawItem",
        pb.WithdrawItemRequest(item=made.item, etag=made.etag, request_id="w" * 8),
        AS["wenshu"],
    )
    assert gone.state == "withdrawn"
    assert search("wenshu", "鹅掌楸").total == 0
    assert found(search("wenshu", "鹅掌楸", withdrawn=True)) == {made.item}
    assert eventually(lambda: search("keyuan", "鹅掌楸").total == 0)
    assert search("keyuan", "鹅掌楸", withdrawn=True).total == 0
    with pytest.raises(NotFound):
        get(knowledge, "keyuan", made.item)
    back = knowledge.call(
        "RestoreItem", pb.RestoreItemRequest(item=made.item, request_id="b" * 8), AS["mishu"]
    )
    assert back.state == "current"
    assert found(search("mishu", "鹅掌楸")) == {made.item}


def test_readers_taken_away_take_the_item_away(knowledge, upload, search):
    made = upload("wenshu", kind="reference", title="给交通局", text="石斛兰", readers=["u:jtj"])
    assert eventually(lambda: search("jiaotong", "石斛兰").total == 1)
    assert search("keyuan", "石斛兰").total == 0
    request = pb.UpdateItemRequest(
        item=made.item,
        etag=made.etag,
        request_id="u" * 8,
        title="收回",
        kind="reference",
        readers=["u:fgw"],
        categories=["甲 类"],
    )
    changed = knowledge.call("UpdateItem", request, AS["wenshu"])
    assert set(changed.readers) == {"u:fgw", "u:fgw-tz", "u:zfb", "u:zfb-mishu"}
    assert eventually(lambda: search("keyuan", "石斛兰").total == 1)
    assert search("jiaotong", "石斛兰").total == 0
    with pytest.raises(NotFound):
        get(knowledge, "jiaotong", made.item)
    facets = {one.field: {value.value for value in one.values} for one in search("keyuan", "石斛兰").facets}
    assert facets["category"] == {"甲 类"}


@pytest.mark.parametrize(
    "header",
    [
        {"kind": "archive", "title": "冒充归档", "text": "x"},
        {"kind": "reference", "title": "别的单位", "text": "x", "keeper": "jtj"},
        {"kind": "reference", "title": "密级", "text": "x", "level": 1},
        {"kind": "reference", "title": "坏范围", "text": "x", "readers": ["everyone"]},
        {"kind": "reference", "title": "空"},
        {"kind": "reference", "title": "长" * 400, "text": "x"},
    ],
)
def test_what_cannot_be_accepted_is_refused(upload, header):
    with pytest.raises(InvalidInput):
        upload("wenshu", **header)


def test_a_level_above_the_reader_hides_an_item(
    knowledge, upload, search, file_bytes, monkeypatch
):  # check 86
    monkeypatch.setenv("TONGBAN_HIGHEST_LEVEL", "2")
    made = upload("jimi", kind="reference", title="内部", text="银缕梅", level=2, readers=["all"])
    assert found(search("jimi", "银缕梅")) == {made.item}
    assert search("wenshu", "银缕梅").total == 0
    with pytest.raises(NotFound):
        get(knowledge, "wenshu", made.item)
    with pytest.raises(NotFound):
        file_bytes("wenshu", made.item, "0" * 64)


def test_who_may_call_what(knowledge):
    with pytest.raises(Forbidden):
        knowledge.call("ImportItem", iter([]), AS["wenshu"])
    with pytest.raises(Forbidden):
        knowledge.call("SearchItems", pb.SearchItemsRequest(), AS["service"])


def test_suggestions_and_similar_items(knowledge, upload):
    one = upload("wenshu", kind="reference", title="城市绿化养护手册", text="甲")
    two = upload("wenshu", kind="reference", title="绿化养护验收办法", text="乙")
    upload("fg-wenshu", kind="reference", title="绿化养护保密材料", text="丙")
    suggested = eventually(
        lambda: (
            len(
                titles := list(
                    knowledge.call("Suggest", pb.SuggestRequest(prefix="绿化养"), AS["mishu"]).titles
                )
            )
            == 2
            and titles
        )
    )
    assert set(suggested) == {one.title, two.title}
    near = knowledge.call("ListSimilarItems", pb.ListSimilarItemsRequest(item=one.item), AS["mishu"])
    assert [item.item for item in near.items] == [two.item]
