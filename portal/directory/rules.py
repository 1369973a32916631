"""What makes a unit or a person acceptable, before Keycloak is asked. No I/O.

The messages Unit and Person are the model here: they are what the bucket `directory` holds and what every
service reads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from tongban.portal.v1.directory_pb2 import Person, Unit

from chassis.bounds import too_long
from chassis.errors import InvalidInput, invalid
from chassis.identity_types import SYSTEM_ROLES
from chassis.words import POSTS

MOST, MOST_POSTS = 100, 50  # in one call; of one person
_UNIT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}\Z")


def check_units(units: list[Unit], known: Mapping[str, Unit]) -> list[Unit]:
    """The units in an order in which every parent comes before its children.

    Raises InvalidInput: too many, a bad id or kind, a name missing or on two ids of this call, an unknown
    parent, a circle, an organisation inside a division, a text that is too long.
    """
    _not_too_many(units)
    new = {unit.unit: unit for unit in units}
    if len(new) != len(units):
        raise invalid(units="同一单位标识在一次保存中出现了两次")
    after = dict(known) | new
    for position, unit in enumerate(units):
        if not _UNIT.match(unit.unit):
            raise _bad(f"units[{position}].unit", "单位标识只能使用小写字母、数字和连字符，最长32个字符")
        if not 0 < len(unit.name.strip()) <= 100:
            raise _bad(f"units[{position}].name", "请填写单位全称（不超过100字）")
        if unit.kind not in ("organisation", "division"):
            raise _bad(f"units[{position}].kind", "单位类别只能是独立单位或内设机构")
        _not_too_long(
            f"units[{position}]",
            {
                "short_name": ("简称", unit.short_name, 50), "category": ("分类", unit.category, 32),
                "organ_code": ("机关代字", unit.organ_code, 20),
            },
        )  # fmt: skip
        if unit.parent and unit.parent not in after:
            raise _bad(f"units[{position}].parent", "上级单位不存在")
        if unit.kind == "organisation" and unit.parent and after[unit.parent].kind == "division":
            raise _bad(f"units[{position}].parent", "独立单位不能设在内设机构之下")
    return sorted(units, key=lambda unit: _depth(unit, after))


def _depth(unit: Unit, after: Mapping[str, Unit]) -> int:
    seen = {unit.unit}
    while unit.parent:
        if unit.parent in seen:
            raise invalid(units="上级单位形成了循环")
        seen.add(unit.parent)
        unit = after[unit.parent]
    return len(seen)


def rights_of(person: Person) -> tuple[list[str], int, list[str]]:
    """What an account may do: posts, clearance, administrators' roles."""
    return list(person.posts), person.clearance, sorted(person.roles)


def check_people(people: list[Person], units: Collection[str]) -> None:
    """Whether these people may be saved.

    Raises InvalidInput: too many, a bad username, no name, an unknown unit or role in a post, two
    administrators' roles in one hand, an administrator with a post (three-role separation), clearance
    outside 0–3, too many posts, a text that is too long.
    """
    _not_too_many(people)
    if len({person.username for person in people}) != len(people):
        raise invalid(people="同一登录名在一次保存中出现了两次")
    for position, person in enumerate(people):
        where = f"people[{position}]"
        # Services know each other by this prefix of the username; a person must never bear it.
        if not _USERNAME.match(person.username) or person.username.startswith("service-account-"):
            raise _bad(f"{where}.username", "登录名只能使用小写字母、数字、点、下划线和连字符，2至64个字符")
        if not 0 < len(person.name.strip()) <= 64:
            raise _bad(f"{where}.name", "请填写姓名（不超过64字）")
        if not 0 <= person.clearance <= 3:
            raise _bad(f"{where}.clearance", "涉密等级只能是0至3")
        _not_too_long(
            where,
            {
                "title": ("职务", person.title, 64), "initial_password": ("初始密码", person.initial_password, 128),
                "person": ("账号编号", person.person, 36),
            },
        )  # fmt: skip
        if len(person.posts) > MOST_POSTS:
            raise _bad(f"{where}.posts", f"一个人的岗位不能超过{MOST_POSTS}个")
        _check_posts(where, person.posts, units)
        _check_roles(where, person)


def _check_posts(where: str, posts: Iterable[str], units: Collection[str]) -> None:
    for post in posts:
        unit, _, role = post.partition(":")
        if role not in POSTS:
            raise _bad(f"{where}.posts", f"岗位“{post}”的角色无效")
        if unit not in units:
            raise _bad(f"{where}.posts", f"岗位“{post}”所在的单位不存在")


def _check_roles(where: str, person: Person) -> None:
    if set(person.roles) - SYSTEM_ROLES:
        raise _bad(f"{where}.roles", "管理角色只能是系统管理员、安全管理员或审计员")
    if len(set(person.roles)) > 1:
        raise _bad(f"{where}.roles", "三员分立：一个账号只能担任一种管理角色")
    if person.roles and person.posts:
        raise _bad(f"{where}.roles", "三员分立：管理员账号不能同时担任业务岗位")


def _not_too_many(things: list[Unit] | list[Person]) -> None:
    if len(things) > MOST:
        raise InvalidInput("TOO_MANY", f"一次最多保存{MOST}条。", f"At most {MOST} in one call.")


def _not_too_long(where: str, texts: Mapping[str, tuple[str, str, int]]) -> None:
    for field, sentence in too_long(texts).items():
        raise _bad(f"{where}.{field}", sentence)


def _bad(field: str, sentence: str) -> InvalidInput:
    return InvalidInput("INVALID_INPUT", f"{sentence}。", f"Invalid: {field}", {field: sentence})
