"""`python3 -m deploy.local.clean`: remove this clone's var/ and build/, unless something runs in them."""

import shutil

from deploy.local.cache import ROOT
from deploy.local.say import Refusal, guarded, line
from deploy.local.state import is_running


def main() -> int:
    for lock in (ROOT / "var").rglob("lock"):
        if is_running(lock.parent):
            raise Refusal(f"Tongban runs in {lock.parent}; stop it (Ctrl-C), then clean.")
    for name in ("var", "build"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    line("Removed var/ and build/. The tools in the cache stay.")
    return 0


if __name__ == "__main__":
    guarded(main)
