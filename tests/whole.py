"""The whole suite: `python -m tests.whole`.

The tests that need no engine run beside those that do, which wait for engines half of the time; at a lower priority, so that they
take what is left over. What they say comes at the end, in one piece.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAID = Path("build/test-unit.log")


def main() -> int:
    """Run both parts; returns 0 when nothing failed in either."""
    SAID.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "--only"]
    with (
        SAID.open("wb") as out,
        subprocess.Popen(
            ["nice", "-n", "5", *command, "unit"], stdout=out, stderr=subprocess.STDOUT
        ) as units,
    ):
        try:
            status = subprocess.run([*command, "engines"], check=False).returncode
            other = units.wait()
        except BaseException:
            units.terminate()
            raise
    print("\n---- the tests that need no engine, which ran beside these", flush=True)
    sys.stdout.write(SAID.read_text(errors="replace"))
    return status or other


if __name__ == "__main__":
    sys.exit(main())
