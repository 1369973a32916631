"""`python3 -m deploy.local.tool <program> …`: run a program of the environment (python, pytest, ruff …).

With --running, in the environment of the deployment that runs in TONGBAN_VAR (var/run).
"""

import argparse
import os
import sys
from pathlib import Path

from deploy.local import env, state
from deploy.local.cache import ROOT, complete, tools
from deploy.local.say import Refusal, guarded
from deploy.local.settings import Settings


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy.local.tool", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--running", action="store_true", help="with the settings of the running deployment")
    parser.add_argument("--service", default="demo", help="on behalf of this unit (with --running)")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    where = tools()
    if not complete(where.environment):
        raise Refusal("The Python environment is not installed yet; run: make install")
    program = where.environment / "bin" / given.program
    if not program.exists():
        raise Refusal(
            f"{given.program} is not a program of the environment; add its package to pyproject.toml."
        )
    var = Path(os.environ.get("TONGBAN_VAR") or ROOT / "var" / "run").absolute()
    platform = state.read(var)["env"] if given.running else {}
    environment = env.for_python(Settings(var=var), platform)
    environment["PATH"] = f"{where.environment / 'bin'}:{environment.get('PATH', '')}"
    if given.running:
        environment |= {"TONGBAN_SERVICE": given.service, "TONGBAN_PROCESS": "tool"}
    sys.stdout.flush()
    os.execve(program, [given.program, *given.arguments], environment)  # noqa: S606 - no shell is wanted.


if __name__ == "__main__":
    guarded(main)
