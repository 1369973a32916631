"""Running an outside tool during installation, and turning its failure into one sentence."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.local.say import Refusal

_OFFLINE = (
    "could not resolve",
    "temporary failure in name resolution",
    "failed to resolve",
    "network is unreachable",
    "no such host",
    "connection refused",
    "connection timed out",
    "enotfound",
    "econnrefused",
    "eai_again",
    "dns error",
    "unknown host",
    "unknownhost",
    "tcp connect error",
    "failed to fetch",
)

_FROM_DEBIAN = {
    "mvn": "maven",
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "npm": "npm",
    "go": "golang-go (1.26 or newer)",
    "apt-get": "apt",
}


def require(tool: str, purpose: str) -> None:
    """Refuse when `tool` is not on PATH, saying what it is for and which package has it."""
    if shutil.which(tool) is None:
        package = _FROM_DEBIAN.get(tool, tool)
        raise Refusal(f"{tool} is needed {purpose} and is not on PATH; install {package} and run again.")


def run(
    what: str, *command: str | Path, log: Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> None:
    """Run `command`; its output goes to `log` and is only named when the command fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        ended = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            check=False,
        )
    if ended.returncode:
        raise Refusal(_explain(what, log))


def _explain(what: str, log: Path) -> str:
    text = log.read_text(errors="replace")
    low = text.lower()
    if "no space left" in low:
        return f"Installing {what} failed because the disk is full; free some space and run again."
    if any(sign in low for sign in _OFFLINE):
        return (
            f"Installing {what} failed because its package registry was not reached; check the network and "
            "run again."
        )
    lines = [row.strip() for row in text.splitlines() if row.strip()]
    last = lines[-1][:200] if lines else "it said nothing"
    return f"Installing {what} failed ({last}); all it said is in {log}."
