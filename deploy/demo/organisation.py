"""The demonstration's district: invented names, real proportions (14 leaders, 33 departments, 30 outside units, about 400 people).

Everything follows from the size and is the same at each run. Usernames say the post, so that they can be remembered:
`qfb.wenshu` is the clerk of the district government's office, `fgw.juzhang` the head of the development bureau.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tongban.portal.v1 import directory_pb2 as pb

DISTRICT = "云溪区"
DEPARTMENTS = [
    ("fgw", "发展和改革局", "云发改"), ("czj", "财政局", "云财"), ("wjj", "卫生健康局", "云卫健"),
    ("jyj", "教育局", "云教"), ("yjj", "应急管理局", "云应急"), ("mzj", "民政局", "云民"),
    ("kjj", "科学技术局", "云科"), ("gxj", "工业和信息化局", "云工信"), ("gaj", "公安分局", "云公"),
    ("sfj", "司法局", "云司"), ("rsj", "人力资源和社会保障局", "云人社"), ("zrj", "自然资源分局", "云自然资"),
    ("hbj", "生态环境分局", "云环"), ("zjj", "住房和城乡建设局", "云住建"), ("jtj", "交通运输局", "云交"),
    ("slj", "水利局", "云水"), ("nyj", "农业农村局", "云农"), ("swj", "商务局", "云商"),
    ("wlj", "文化和旅游局", "云文旅"), ("tyj", "退役军人事务局", "云退役"), ("sjj", "审计局", "云审"),
    ("gzw", "国有资产监督管理局", "云国资"), ("scj", "市场监督管理局", "云市监"), ("tjj", "统计局", "云统"),
    ("ybj", "医疗保障局", "云医保"), ("xfj", "信访局", "云信"), ("cgj", "城市管理局", "云城管"),
    ("lyj", "林业局", "云林"), ("xzj", "行政审批服务局", "云审批"), ("dsj", "大数据管理局", "云数"),
    ("jrj", "金融工作局", "云金"), ("tyz", "体育局", "云体"), ("daj", "档案局", "云档"),
]  # fmt: skip
OUTSIDE = [
    ("chz", "城关镇人民政府", "township"), ("qsz", "清水镇人民政府", "township"), ("ctt", "城市建设投资有限公司", "enterprise"),
    ("lhj", "莲花街道办事处", "township"), ("swg", "水务集团有限公司", "enterprise"), ("bhz", "白鹤镇人民政府", "township"),
    ("dqz", "大桥镇人民政府", "township"), ("lsz", "龙山镇人民政府", "township"), ("hxz", "河西镇人民政府", "township"),
    ("nhz", "南湖镇人民政府", "township"), ("spz", "石坪镇人民政府", "township"), ("yfz", "云峰镇人民政府", "township"),
    ("tpj", "太平街道办事处", "township"), ("hpj", "和平街道办事处", "township"), ("xhj", "新华街道办事处", "township"),
    ("bjj", "滨江街道办事处", "township"), ("dhj", "东湖街道办事处", "township"), ("jjt", "交通建设投资有限公司", "enterprise"),
    ("wlt", "文化旅游发展有限公司", "enterprise"), ("nyt", "农业发展有限公司", "enterprise"), ("gjg", "公共交通有限公司", "enterprise"),
    ("rmy", "人民医院", "institution"), ("zyy", "中医院", "institution"), ("fby", "妇幼保健院", "institution"),
    ("dyz", "第一中学", "institution"), ("dez", "第二中学", "institution"), ("zyx", "职业技术学校", "institution"),
    ("tsg", "图书馆", "institution"), ("kfq", "经济开发区管理委员会", "institution"), ("swj2", "税务局", "vertical"),
]  # fmt: skip
SURNAMES = list(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许邓韩冯曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
GIVEN = [
    "建国",
    "志强",
    "文静",
    "晓明",
    "海燕",
    "丽华",
    "国平",
    "永红",
    "立新",
    "春梅",
    "伟东",
    "秀英",
    "少华",
    "明远",
    "思源",
    "雅琴",
    "振宇",
    "佳怡",
    "德胜",
    "玉兰",
    "家豪",
    "婉婷",
    "子涵",
    "光辉",
    "慧敏",
    "一鸣",
    "俊杰",
    "雪梅",
    "长青",
    "淑珍",
    "卫东",
    "晨曦",
    "正阳",
    "若兰",
    "鹏程",
    "秋月",
    "世杰",
    "红霞",
    "云飞",
    "静怡",
    "景行",
    "怀民",
    "素芬",
    "向前",
    "亚男",
    "承志",
    "小军",
    "欣然",
    "克勤",
    "月娥",
]


@dataclass(frozen=True)
class Size:
    """How much of the district is made."""

    leaders: int
    departments: int
    outside: int
    staff: int  # members of each department's working divisions, beside clerk and heads


SIZES = {"small": Size(4, 6, 4, 1), "district": Size(14, 33, 30, 3)}


@dataclass(frozen=True)
class District:
    """Everything that is saved through DirectoryService; people without Keycloak's id."""

    units: list[pb.Unit]
    people: list[pb.Person]


def district(size: Size) -> District:
    """The district of that size."""
    maker = _Maker()
    maker.organisation("qzf", f"{DISTRICT}人民政府", "区政府", "leadership", "云政发", "")
    titles = ["区长", "常务副区长", *["副区长"] * 6, *["党组成员"] * 3, *["二级调研员"] * 3]
    for number, title in enumerate(titles[: size.leaders], 1):
        maker.person(f"qzf.{'quzhang' if number == 1 else f'fuquzhang{number - 1}'}", title, ["qzf:leader"])
    _office(maker)
    for unit, name, code in DEPARTMENTS[: size.departments]:
        full = (
            f"{DISTRICT}{name}"
            if not name.endswith("分局")
            else f"市{name.removesuffix('分局')}局{DISTRICT[:-1]}分局"
        )
        maker.organisation(unit, full, _short(name), "department", code, "qzf")
        _bureau(maker, unit, size.staff)
    for unit, name, category in OUTSIDE[: size.outside]:
        maker.organisation(unit, f"{DISTRICT}{name}", _short(name), category, f"云{unit.upper()}", "qzf")
        _outside(maker, unit, category)
    return District(maker.units, maker.people)


def _office(maker: _Maker) -> None:
    maker.organisation("qfb", f"{DISTRICT}人民政府办公室", "区政府办", "office", "云政办发", "qzf")
    maker.person("qfb.zhuren", "主任", ["qfb:leader"])
    maker.person("qfb.fuzhuren", "副主任", ["qfb:leader"])
    for unit, name in (
        ("qfb-mishu", "秘书科"),
        ("qfb-ducha", "督查室"),
        ("qfb-zonghe", "综合科"),
        ("qfb-xinxi", "信息科"),
    ):
        maker.division(unit, name, "qfb")
    maker.person("qfb.wenshu", "文书", ["qfb-mishu:member", "qfb:registrar"])
    maker.person("qfb.mishu", "秘书科科长", ["qfb-mishu:head"])
    maker.person("qfb.mishu1", "秘书科科员", ["qfb-mishu:member"])
    maker.person("qfb.ducha", "督查室主任", ["qfb-ducha:head", "qfb:registrar"])
    maker.person("qfb.zonghe", "综合科科长", ["qfb-zonghe:head"])
    maker.person("qfb.xinxi", "信息科科长", ["qfb-xinxi:head"])


def _bureau(maker: _Maker, unit: str, staff: int) -> None:
    maker.person(f"{unit}.juzhang", "局长", [f"{unit}:leader"])
    maker.person(f"{unit}.fujuzhang", "副局长", [f"{unit}:leader"])
    for part, name in (("bgs", "办公室"), ("zonghe", "综合科"), ("yewu", "业务科")):
        maker.division(f"{unit}-{part}", name, unit)
        if part == "bgs":
            maker.person(f"{unit}.wenshu", "文书", [f"{unit}-bgs:member", f"{unit}:registrar"])
            continue
        maker.person(f"{unit}.{part}", f"{name}科长", [f"{unit}-{part}:head"])
        for number in range(1, staff):
            maker.person(f"{unit}.{part}{number}", f"{name}科员", [f"{unit}-{part}:member"])


def _outside(maker: _Maker, unit: str, category: str) -> None:
    first = {"township": "主任", "enterprise": "总经理"}.get(category, "负责人")
    maker.person(f"{unit}.fuzeren", first, [f"{unit}:leader"])
    for part, name in (("bgs", "办公室"), ("yewu", "业务部")):
        maker.division(f"{unit}-{part}", name, unit)
    maker.person(f"{unit}.wenshu", "文书", [f"{unit}-bgs:member", f"{unit}:registrar"])
    maker.person(f"{unit}.yewu", "业务部负责人", [f"{unit}-yewu:head"])


class _Maker:
    """Collects units and people in their order; names are drawn from a fixed seed and never twice."""

    def __init__(self) -> None:
        self.units: list[pb.Unit] = []
        self.people: list[pb.Person] = []
        names = [surname + given for surname in SURNAMES for given in GIVEN]
        random.Random(20261122).shuffle(names)  # noqa: S311 - invented names, not secrets
        self._names = iter(names)

    def organisation(self, unit: str, name: str, short: str, category: str, code: str, parent: str) -> None:
        self.units.append(
            pb.Unit(
                unit=unit, name=name, short_name=short, parent=parent, kind="organisation", category=category,
                organ_code=code, order=len(self.units) + 1,
            )
        )  # fmt: skip

    def division(self, unit: str, name: str, parent: str) -> None:
        above = next(one for one in self.units if one.unit == parent)
        self.units.append(
            pb.Unit(
                unit=unit, name=f"{above.name}{name}", short_name=f"{above.short_name}{name}", parent=parent,
                kind="division", category="division", order=len(self.units) + 1,
            )
        )  # fmt: skip

    def person(self, username: str, title: str, posts: list[str]) -> None:
        self.people.append(
            pb.Person(
                username=username,
                name=next(self._names),
                title=title,
                posts=posts,
                order=len(self.people) + 1,
            )
        )


def _short(name: str) -> str:
    for long, short in (("发展和改革局", "发改局"), ("卫生健康局", "卫健局"), ("人民政府", ""), ("街道办事处", "街道"),
                        ("人力资源和社会保障局", "人社局"), ("城市建设投资有限公司", "城投公司"), ("有限公司", "公司"),
                        ("住房和城乡建设局", "住建局"), ("工业和信息化局", "工信局"), ("市场监督管理局", "市监局"),
                        ("国有资产监督管理局", "国资局"), ("应急管理局", "应急局")):  # fmt: skip
        if name.endswith(long):
            return name.removesuffix(long) + short
    return name
