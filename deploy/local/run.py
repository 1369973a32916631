"""`python3 -m deploy.local.run`: start everything, say so, keep it running until Ctrl-C."""

import argparse
import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path

from deploy.local import engines
from deploy.local.child import kill_group
from deploy.local.deployment import Deployment
from deploy.local.say import Clock, Refusal, guarded, line
from deploy.local.settings import Settings, add_arguments, from_arguments

_READY_SECONDS = 180.0
_DEMO_GRACE_SECONDS = 15.0
_TICK = 0.2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy.local.run", description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument(
        "--engines-only", action="store_true", help="start no application process and no edge"
    )
    parser.add_argument(
        "--until-ready",
        action="store_true",
        help=f"give up with status 1 when not ready after {_READY_SECONDS:.0f} s, instead of trying on",
    )
    return parser.parse_args()


def main() -> int:
    given = _arguments()
    settings = from_arguments(given)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    renewing = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: renewing.set())
    clock = Clock()
    line(f"Starting Tongban in {settings.var}.")
    with Deployment(settings, clock.line, with_applications=not given.engines_only) as deployment:
        if _wait(deployment, stopping, give_up=given.until_ready):
            _report(settings, clock, engines_only=given.engines_only)
            if settings.demo and not given.engines_only:
                _demo(deployment, stopping)
            while not stopping.wait(_TICK):
                if renewing.is_set():
                    renewing.clear()
                    deployment.renew()
        clock.line("stopping")
    clock.line("everything is stopped")
    return 0


def _wait(deployment: Deployment, stopping: threading.Event, *, give_up: bool) -> bool:
    """Until everything is ready (True) or the operator wants to stop (False)."""
    while not stopping.is_set():
        if deployment.supervisor.wait_ready(_READY_SECONDS, lambda: not stopping.is_set()):
            return True
        waiting = ", ".join(deployment.supervisor.not_ready())
        if stopping.is_set():
            break
        if give_up:
            raise Refusal(
                f"Not ready after {_READY_SECONDS:.0f} s: {waiting}; see {deployment.settings.logs}."
            )
        line(f"Still waiting for {waiting}; see {deployment.settings.logs}.")
    return False


def _report(settings: Settings, clock: Clock, *, engines_only: bool) -> None:
    if engines_only:
        clock.line(
            f"the engines are ready: {', '.join(engines.NAMES)}; their addresses are in {settings.state_file}"
        )
        return
    clock.line(f"Tongban is ready: {settings.public_url}")
    line(f"          trust this authority in the browser: {settings.tls / 'ca.crt'}")
    _print_logins(settings.var)
    line(f"          the platform's own state: {settings.public_url}/administration/system (as sysadmin)")
    line(f"          logs: {settings.logs}   stop: Ctrl-C")


def _print_logins(var: Path) -> None:
    logins = var / "demo-logins.txt"
    if logins.is_file():
        line("          sign in as:")
        for row in logins.read_text().splitlines():
            line(f"            {row}")


def _demo(deployment: Deployment, stopping: threading.Event) -> None:
    """Fill an empty deployment with demonstration data, once; what failed is tried at the next start."""
    settings = deployment.settings
    stamp = settings.var / "demo.done"
    if stamp.exists() or not (settings.root / "deploy" / "demo" / "__main__.py").is_file():
        return
    line("Filling in demonstration data (once).")
    process = deployment.run_once("-m", "deploy.demo", "--size", "small")
    while process.poll() is None and not stopping.wait(0.2):
        pass
    if process.poll() is None:
        _end(process)
    elif process.returncode:
        line(
            f"The demonstration data are incomplete (status {process.returncode}); the next start "
            "tries again."
        )
    else:
        stamp.touch()
        _print_logins(settings.var)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_DEMO_GRACE_SECONDS)
    kill_group(process.pid)


if __name__ == "__main__":
    os.umask(0o077)
    guarded(main)
