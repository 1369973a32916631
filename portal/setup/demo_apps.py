"""The demonstration's two old systems in the catalogue, where they run (deploy/samples).

An entry that is there stays as it is.
"""

from __future__ import annotations

from chassis.aggregate import Request
from chassis.settings import SettingMissing
from portal.addresses import http_url
from portal.model import App, Connector, FormLogin
from portal.parts import PortalParts


def enter_demo_apps(parts: PortalParts) -> list[str]:
    """Enters what is missing; returns the ids."""
    made = []
    for app in _apps():
        if parts.apps.find(app.id) is None:
            app.check()
            parts.apps.add(app, Request(key=f"setup|{app.id}"))
            made.append(app.id)
    return made


def _apps() -> list[App]:
    apps = []
    if old := _address("oldsite"):
        form = FormLogin(login_path="/login.jsp", logout_path="/logout.do")
        apps.append(
            App(
                id="oldsite",
                name="公文档案查询",
                icon="folder",
                description="2006年建设的老公文档案查询系统",
                category="老系统",
                audience=["all"],
                connector=Connector("form", f"{old}/index.jsp", form=form),
                probe="/healthz",
                order=10,
            )
        )
    if report := _address("headersite"):
        apps.append(
            App(
                id="headersite",
                name="统计数据报表",
                icon="chart",
                description="区统计局数据报表，登录同办后即可直接查看",
                category="老系统",
                audience=["all"],
                connector=Connector("header", f"{report}/", header="X-Remote-User"),
                probe="/healthz",
                order=20,
            )
        )
    return apps


def _address(site: str) -> str:
    """Where a sample site runs; '' where it does not."""
    try:
        return http_url(site)
    except SettingMissing:
        return ""
