"""Whether a system can be reached: the test of connectors that need no credential."""

from __future__ import annotations

import httpx

from chassis.errors import TongbanError
from chassis.identity_types import Principal
from portal.connectors import headers, http
from portal.connectors.signing_in import Report, Step
from portal.connectors.target import judged_addresses
from portal.model import App

LARGEST = 1 << 20


def probe(client: httpx.Client, app: App, principal: Principal) -> tuple[bool, Report]:
    """Resolves the system's name, fetches its start page (with the trusted header, if it wants one).

    And reports. Where a system stands and which header it trusts is told to those only who may see its record.
    """
    report, target = Report(), app.connector.target
    keeper = "system_administrator" in principal.roles
    try:
        with report.step("解析地址") as step:
            count = len(judged_addresses(target.host, target.port))
            step.detail = f"{target.authority} 共 {count} 个地址" if keeper else f"共 {count} 个地址"
        with report.step("打开起始页") as step:
            identity = headers.identity_header(app.connector, principal)
            given = http.usual_headers(target) + ([identity] if identity else [])
            answer = http.send(client, target, "GET", app.connector.start, given)
            size = len(http.read(answer, LARGEST))
            step.detail = f"状态码 {answer.status_code}，{size} 字节"
            step.outcome = "good" if answer.status_code < 400 else "failed"
    except TongbanError:
        return False, report
    if identity:
        header = f"请求头 {identity[0]} " if keeper else "请求头"
        report.steps.append(Step("传递身份", "good", f"以{header}告知对方您的身份"))
    return all(step.outcome != "failed" for step in report.steps), report
