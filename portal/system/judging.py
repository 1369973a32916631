"""What to think of the facts: good, warn, bad or unknown, a sentence on what it means, and what to do next. No I/O.

The limits are those of deploy/observability/alerts.yml; who looks at this page and who is called at night hear the same.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from portal.system.facts import Backup, Consumer, Engine, Facts, Process

LAG = timedelta(minutes=2)  # an event that waits for longer is late
OUTBOX = 60.0  # seconds; the same for what was saved and not yet told
RESTARTS = 3
LITTLE, VERY_LITTLE = 0.2, 0.1  # of the disk
BACKUP = timedelta(hours=26)
CERTIFICATE = timedelta(days=14)
GOOD, WARN, BAD, UNKNOWN = "good", "warn", "bad", "unknown"

ENGINES = {"mongo": "数据库", "nats": "消息服务", "keycloak": "统一登录", "edge": "入口"}
_WITHOUT = {
    "mongo": "各项功能暂时不能使用，已确认的内容不会丢失。",
    "nats": "可以照常办理和保存，但待办、列表和其他单位的内容暂不更新。",
    "keycloak": "不能新登录；已登录的人员在令牌到期前可以继续使用。",
    "edge": "所有人都打不开平台。",
}
_STATES = {
    "pausing": "刚刚退出，即将自动重启",
    "held": "已被停止",
    "waiting": "正在等待其他部分",
    "starting": "正在启动",
}


class Verdict(NamedTuple):
    """A tone, and unless all is well what it means, what to do, and the runbook."""

    tone: str
    sentence: str = ""
    action: str = ""
    runbook: str = ""


FINE = Verdict(GOOD)


def engine(one: Engine) -> Verdict:
    """Whether an engine answers."""
    if one.up:
        return FINE
    if one.up is None:
        return Verdict(
            UNKNOWN, "没有设置查询地址，无法得知状态。", "请在设置中写明该服务的管理地址。", "EngineDown"
        )
    state = f"（{_STATES[one.state]}）" if one.state in _STATES else ""
    return Verdict(
        BAD,
        f"没有响应{state}：{_WITHOUT[one.engine]}",
        "守护程序会自动重启；一分钟后仍未恢复请查看其日志。",
        "EngineDown",
    )


def process(one: Process) -> Verdict:
    """Whether a process answers, is ready, and stays."""
    if one.figures is None:
        if one.state == "starting":
            return Verdict(WARN, "正在启动。", "请稍候；超过两分钟请查看日志。", "ProcessDown")
        state = f"（{_STATES[one.state]}）" if one.state in _STATES else ""
        return Verdict(
            BAD,
            f"没有响应{state}，该部分功能不可用。",
            "查看它的日志；守护程序会自动重启退出的进程。",
            "ProcessDown",
        )
    if not one.figure("tongban_ready"):
        return Verdict(
            WARN,
            "在运行，但所依赖的部分没有响应，暂不能工作。",
            "先排除上面“基础服务”的异常。",
            "ProcessNotReady",
        )
    if one.restarts >= RESTARTS:
        return Verdict(
            WARN, f"已自动重启 {one.restarts} 次。", "看最近一次退出的原因，查看日志。", "ProcessRestarting"
        )
    return FINE


def consumer(one: Consumer, facts: Facts) -> Verdict:
    """Whether events wait too long for a consumer."""
    late = one.oldest is not None and facts.time - one.oldest > LAG
    if not late:
        return FINE
    return Verdict(
        BAD,
        f"有 {one.waiting} 个事件等待超过两分钟，相应的待办或状态会晚到。",
        "看该服务的“后台处理”是否正常。",
        "ConsumerLag",
    )


def outbox(one: Process) -> Verdict:
    """Whether saves wait too long until others hear of them."""
    waiting, oldest = one.figure("tongban_outbox_waiting"), one.figure("tongban_outbox_oldest_seconds")
    if waiting is None or oldest is None:
        return Verdict(UNKNOWN, "后台处理或数据库没有响应，无法得知。", "先排除它们的异常。", "OutboxWaiting")
    if waiting and oldest > OUTBOX:
        return Verdict(
            BAD,
            "已保存的内容超过一分钟未通知其他部分，待办和列表不更新。",
            "看消息服务是否正常；恢复后自动发出。",
            "OutboxWaiting",
        )
    return FINE


def index(one: Process) -> Verdict:
    """Whether lists and search have what they need."""
    if not one.figure("tongban_index_ready") or one.figure("tongban_index_entries") is None:
        return Verdict(
            BAD,
            "检索库不可用或正在重建，列表暂不可用；记录不受影响。",
            "后台处理的日志中有重建进度。",
            "IndexMissing",
        )
    return FINE


def broker(facts: Facts) -> Verdict:
    """Whether anything is known of events at all, and whether the broker has room for more."""
    if facts.broker is None:
        return Verdict(
            UNKNOWN,
            "消息服务没有响应，无法得知积压与未送达的事件。",
            "先恢复消息服务；事件都在各服务中等待，不会丢失。",
            "EngineDown",
        )
    full = [name for name, most in facts.broker.most.items() if facts.broker.bytes.get(name, 0) > 0.8 * most]
    if full:
        return Verdict(WARN, "消息存储已用八成以上。", "调大上限，或缩短保留天数。", "StreamFull")
    return FINE


def dead_letters(facts: Facts) -> Verdict:
    """Whether events were given up."""
    if facts.broker is None:
        return Verdict(UNKNOWN, "消息服务没有响应，无法得知。", "先恢复消息服务。", "EngineDown")
    if facts.broker.dead:
        return Verdict(
            BAD,
            f"有 {facts.broker.dead} 个事件多次处理失败，相应的待办或状态没有更新。",
            "打开“未送达的事件”，排除原因后重新投递。",
            "DeadLetters",
        )
    return FINE


def disk(facts: Facts) -> Verdict:
    """Whether there is room."""
    if facts.disk_free is None:
        return Verdict(UNKNOWN, "读不到运行目录所在的磁盘。", "检查运行目录的权限。", "DiskSpace")
    share = facts.disk_free / (facts.disk_size or 1)
    if share < VERY_LITTLE:
        return Verdict(
            BAD, "剩余空间不足一成，写满后将不能保存任何内容。", "尽快清理或扩充磁盘。", "DiskSpace"
        )
    if share < LITTLE:
        return Verdict(WARN, "剩余空间不足两成。", "请安排清理或扩充磁盘。", "DiskSpace")
    return FINE


def backup(one: Backup | None, facts: Facts) -> Verdict:
    """Whether a recent backup is where it was put."""
    if one is None:
        return Verdict(
            BAD,
            "还没有成功的备份；磁盘损坏时将丢失全部内容。",
            "在主机上执行一次备份，并启用每日定时备份。",
            "BackupOverdue",
        )
    hours = int((facts.time - one.time) / timedelta(hours=1))
    if facts.time - one.time > BACKUP:
        return Verdict(
            BAD,
            f"上次备份在 {hours} 小时前，超过 26 小时。",
            "检查每日备份的定时任务为何没有成功。",
            "BackupOverdue",
        )
    if one.lost:
        return Verdict(
            BAD, "备份文件已不在原处，无法用于恢复。", "找回该文件，或立即再做一次备份。", "BackupOverdue"
        )
    return FINE


def certificate(facts: Facts) -> Verdict:
    """Whether browsers will go on to trust the edge."""
    if facts.certificate_ends is None:
        return Verdict(UNKNOWN, "读不到证书。", "检查运行目录 tls 中的证书文件。", "CertificateEnding")
    if facts.certificate_ends < facts.time:
        return Verdict(
            BAD, "证书已到期，浏览器会拒绝打开平台。", "立即更换证书并重启入口。", "CertificateEnding"
        )
    if facts.certificate_ends - facts.time < CERTIFICATE:
        return Verdict(
            WARN, "证书将在两周内到期。", "请更换证书；自签证书在重启平台时自动更新。", "CertificateEnding"
        )
    return FINE


def overall(found: list[Verdict]) -> Verdict:
    """The one sentence at the top."""
    bad = sum(one.tone == BAD for one in found)
    odd = sum(one.tone in (WARN, UNKNOWN) for one in found)
    if bad:
        return Verdict(BAD, f"有 {bad} 项异常" + (f"，另有 {odd} 项需要留意" if odd else "") + "。")
    return Verdict(WARN, f"有 {odd} 项需要留意。") if odd else Verdict(GOOD, "平台各部分运行正常。")
