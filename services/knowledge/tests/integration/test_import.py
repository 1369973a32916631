"""A folder of real regulations: imported once, found exactly, unseen by whom it is not for."""

from __future__ import annotations

import random
import re
import shutil
import time
import unicodedata

import pytest
from tongban.knowledge.v1 import knowledge_pb2 as pb

from services.knowledge import importing
from services.knowledge.tests.integration.conftest import AS, REGULATIONS
from tests.inprocess import eventually

pytestmark = pytest.mark.integration

TERMS = [
    "环境",
    "消防",
    "安全",
    "国务院",
    "个体工商户",
    "行政处罚",
    "注册资本",
    "法律责任",
    "第三条",
    "税务",
    "海关",
    "保密",
    "档案",
    "统计",
    "气象",
    "监督管理",
    "有关部门",
    "知识产权",
    "责令改正",
    "境卫",
]


@pytest.fixture(scope="module")
def regulations(tmp_path_factory):
    """Sixty of the real files, and for whom each half is."""
    if not REGULATIONS.is_dir():
        pytest.skip(f"{REGULATIONS} is not there")
    folder = tmp_path_factory.mktemp("regulations")
    chosen = sorted(random.Random(7).sample(sorted(REGULATIONS.iterdir()), 60))
    for number, path in enumerate(chosen):
        where = folder / ("公开" if number % 2 else "本委")
        where.mkdir(exist_ok=True)
        shutil.copy(path, where / path.name)
    return folder


def run(knowledge, folder, *arguments, capsys):
    code = importing.run(knowledge.parts, [str(folder), *arguments])
    return code, capsys.readouterr().out


@pytest.fixture(scope="module")
def imported(knowledge, regulations):
    assert importing.run(knowledge.parts, [str(regulations / "公开")]) == 0
    assert (
        importing.run(
            knowledge.parts, [str(regulations / "本委"), "--readers", "u:fgw", "--category", "内部"]
        )
        == 0
    )
    ask = lambda: knowledge.call("SearchItems", pb.SearchItemsRequest(), AS["fg-wenshu"]).total  # noqa: E731
    assert eventually(lambda: ask() == 60, 60)
    return regulations


def every_title(knowledge, person, words):
    """All titles that a search finds, over all of its pages, and its total."""
    titles, token = [], ""
    while True:
        request = pb.SearchItemsRequest(words=words, order="date", page_size=7, page_token=token)
        answer = knowledge.call("SearchItems", request, AS[person])
        titles += [hit.item.title for hit in answer.hits]
        token = answer.next_page_token
        if not token:
            return titles, answer.total


def brute_force(folder, term):
    """Titles of the raw files in which the term stands, blanks aside, not across punctuation."""
    found = set()
    for path in folder.rglob("*.md"):
        raw = re.sub(r"<!--.*?-->", "", path.read_text(), flags=re.DOTALL) + "\n" + path.stem
        folded = unicodedata.normalize("NFKC", raw)
        pieces = re.split(r"[^\w\s]|\n", folded)
        if any(term in re.sub(r"\s", "", piece) for piece in pieces):
            found.add(re.sub(r"\(\d{4}-.*", "", path.stem))
    return found


def test_twenty_terms_are_found_exactly_where_brute_force_finds_them(knowledge, imported):
    hits = 0
    for term in TERMS:
        titles, total = every_title(knowledge, "fg-wenshu", term)
        assert len(titles) == len(set(titles)) == total
        assert set(titles) == brute_force(imported, term), term
        hits += total
    print(f"{len(TERMS)} terms, {hits} hits, 0 missed, 0 false")
    assert hits > 300


def test_a_restricted_person_meets_nothing_forbidden(knowledge, imported):  # check 22
    secret = {re.sub(r"\(\d{4}-.*", "", path.stem) for path in (imported / "本委").iterdir()}
    # Of each forbidden file the words that stand in no public one: not even a count may tell of them.
    public_text = "".join(path.read_text() for path in (imported / "公开").iterdir())
    draw, asked, answers = random.Random(22), 0, 0
    texts = [path.read_text() for path in (imported / "本委").iterdir()]
    for _ in range(300):
        text = draw.choice(texts)
        at = draw.randrange(max(1, len(text) - 8))
        words = re.sub(r"\W", "", text[at : at + draw.randrange(2, 8)])
        if not words:
            continue
        order = draw.choice(["", "date", "date_up"])
        answer = knowledge.call(
            "SearchItems", pb.SearchItemsRequest(words=words, order=order, page_size=100), AS["jiaotong"]
        )
        asked += 1
        answers += answer.total
        assert not secret & {hit.item.title for hit in answer.hits}
        assert all("内部" not in [value.label for value in facet.values] for facet in answer.facets)
        if words not in re.sub(r"\s", "", public_text):
            assert (answer.total, len(answer.hits)) == (0, 0), words
            assert not any(facet.values for facet in answer.facets)
    print(f"{asked} searches, {answers} answers, 0 forbidden")
    categories = knowledge.call("ListCategories", pb.ListCategoriesRequest(), AS["jiaotong"])
    # Filed documents of other tests may be among them; of regulations there are just the public ones.
    assert [value.count for value in categories.facets[0].values if value.value == "regulation"] == [30]
    assert sum(value.count for value in categories.facets[0].values) == categories.total
    for title in secret:
        suggested = knowledge.call(
            "Suggest", pb.SuggestRequest(prefix=title[:3], page_size=20), AS["jiaotong"]
        ).titles
        assert not secret & set(suggested)


def test_facets_narrow_a_search(knowledge, imported):
    answer = knowledge.call("SearchItems", pb.SearchItemsRequest(), AS["fg-wenshu"])
    by_field = {facet.field: facet.values for facet in answer.facets}
    assert [(value.value, value.label, value.count) for value in by_field["kind"]] == [
        ("regulation", "法规制度", 60)
    ]
    assert sum(value.count for value in by_field["year"]) == 60
    assert list(by_field["year"]) == sorted(by_field["year"], key=lambda value: value.value, reverse=True)
    state_council = next(value for value in by_field["issuer"] if value.label == "国务院")
    for field, value in (
        ("year", by_field["year"][0]),
        ("issuer", state_council),
        ("category", by_field["category"][0]),
    ):
        narrowed = knowledge.call(
            "SearchItems", pb.SearchItemsRequest(**{field: value.value}), AS["fg-wenshu"]
        )
        assert narrowed.total == value.count


def test_a_second_import_adds_nothing_and_a_changed_file_is_a_new_version(knowledge, imported, capsys):
    before = knowledge.call("SearchItems", pb.SearchItemsRequest(kind="regulation"), AS["jiaotong"])
    code, said = run(knowledge, imported / "公开", capsys=capsys)
    assert code == 0
    assert "新增 0，更新 0，未变 30，失败 0" in said
    path = min((imported / "公开").iterdir())
    original = path.read_bytes()
    path.write_text(path.read_text() + "\n\n附则：桫椤自公布之日起施行。\n")
    code, said = run(knowledge, imported / "公开", capsys=capsys)
    assert "新增 0，更新 1，未变 29" in said
    answer = eventually(
        lambda: (
            (
                found := knowledge.call("SearchItems", pb.SearchItemsRequest(words="桫椤"), AS["jiaotong"])
            ).total
            == 1
            and found
        )
    )
    item = knowledge.call("GetItem", pb.GetItemRequest(item=answer.hits[0].item.item), AS["jiaotong"])
    assert item.version == 2
    path.write_bytes(original)
    code, said = run(knowledge, imported / "公开", capsys=capsys)
    assert "更新 1，未变 29" in said, "a file may go back to what it was"
    after = knowledge.call("SearchItems", pb.SearchItemsRequest(kind="regulation"), AS["jiaotong"])
    assert before.total == after.total


def test_broken_files_are_named_and_the_rest_goes_on(knowledge, tmp_path, capsys):
    folder = tmp_path / "混合"
    folder.mkdir()
    (folder / "好.txt").write_bytes("国标编码的好文件栌兰".encode("gb18030"))
    (folder / "好2.html").write_text("<title>t</title><script>x</script><p>网页好文件栌兰</p>")
    (folder / "坏.docx").write_bytes(b"PK\x03\x04 not a document")
    (folder / "坏.pdf").write_bytes(b"%PDF-1.7 nothing follows")
    (folder / "空.md").write_bytes(b"")
    (folder / "乱码.txt").write_bytes(bytes(range(256)))
    (folder / "图.png").write_bytes(b"\x89PNG")
    code, said = run(knowledge, folder, capsys=capsys)
    assert code == 1
    assert "新增 2，更新 0，未变 0，失败 4" in said
    assert [
        name in said
        for name in ("失败：坏.docx：", "失败：坏.pdf：", "失败：空.md：文件是空的", "失败：乱码.txt：")
    ] == [True] * 4
    assert "图.png" not in said
    assert eventually(
        lambda: knowledge.call("SearchItems", pb.SearchItemsRequest(words="栌兰"), AS["keyuan"]).total == 2
    )


def test_the_rate_of_the_import_is_told(knowledge, imported, capsys):
    started = time.monotonic()
    _, said = run(knowledge, imported, "--parallel", "8", capsys=capsys)
    print(f"60 files in {time.monotonic() - started:.1f} s; {said.splitlines()[-1]}")
    assert "个/秒" in said
