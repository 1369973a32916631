"""Items about the same subject: those whose words share what is peculiar to a title."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from chassis.search import Hit, Page, Query
from chassis.search.text import words
from services.knowledge.model.item import Item

ENOUGH = 6
WORDS = 3  # of a title; more would cost more questions than they are worth
# Words of titles that say what kind of document it is, not what it is about.
_COMMON = frozenset(
    [
        "关于",
        "中华人民共和国",
        "国务院",
        "条例",
        "规定",
        "办法",
        "通知",
        "意见",
        "实施",
        "细则",
        "暂行",
        "试行",
        "管理",
        "若干",
        "印发",
        "工作",
        "有关",
        "进一步",
        "加强",
        "做好",
        "开展",
        "决定",
        "批复",
        "请示",
        "报告",
        "通报",
        "纪要",
        "方案",
        "制度",
        "我区",
        "全区",
        "区政府",
        "办公室",
        "政府",
        "问题",
        "修订",
        "修改",
        "处理",
        "情况",
        "相关",
    ]
)


def find(item: Item, search: Callable[[Query], Page]) -> list[Hit]:
    """At most six items, those first that share most of the title's words with this one."""
    peculiar = sorted(
        (word for word in dict.fromkeys(words(item.title)) if word not in _COMMON), key=len, reverse=True
    )
    found: dict[str, Hit] = {}
    for asked, fields in _questions(peculiar[:WORDS]):
        page = search(
            Query(words=asked, must={"state": ["current"]}, order="relevance", size=ENOUGH + 1, fields=fields)
        )
        found |= {hit.id: hit for hit in page.hits if hit.id not in (item.id, *found)}
        if len(found) >= ENOUGH:
            break
    return list(found.values())[:ENOUGH]


def _questions(peculiar: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """All words in a title, all anywhere, then fewer and fewer of them in a title."""
    for count in range(len(peculiar), 0, -1):
        for some in combinations(peculiar, count):
            asked = " ".join(f'"{word}"' for word in some)
            yield asked, ("title",)
            if count == len(peculiar) and count > 1:
                yield asked, ()
