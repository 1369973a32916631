"""`python -m deploy.broker compare`: whether all brokers of a cluster hold the same messages. See docs/operations.md."""

from __future__ import annotations

import argparse
import asyncio
import os

from nats.errors import Error as NatsError

from deploy.broker.comparing import Comparison, compare
from deploy.local.say import Refusal, guarded, line


def main() -> int:
    """Compare, say what was found; status 1 when copies differ or one is missing."""
    parser = argparse.ArgumentParser(prog="deploy.broker", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=["compare"])
    parser.add_argument(
        "--urls",
        default=os.environ.get("TONGBAN_NATS_URL", ""),
        help="the brokers, with commas between (TONGBAN_NATS_URL)",
    )
    urls = [url for url in parser.parse_args().urls.split(",") if url]
    if not urls:
        raise Refusal("TONGBAN_NATS_URL must name the brokers whose copies are to be compared.")
    try:
        found = asyncio.run(compare(urls))
    except (NatsError, OSError, TimeoutError) as problem:
        raise Refusal(
            f"A broker does not answer, so the copies were not compared ({type(problem).__name__})."
        ) from problem
    for one in found:
        line(said(one))
    if not found:
        raise Refusal("No stream has a second copy: TONGBAN_NATS_REPLICAS is 1.")
    return 0 if all(one.equal for one in found) else 1


def said(one: Comparison) -> str:
    """The finding as one line for the operator."""
    roots = ", ".join(
        f"{broker} {copy.root[:16]} ({len(copy.digests)})" for broker, copy in sorted(one.copies.items())
    )
    if one.equal:
        return f"{one.stream}: {len(one.copies)} copies are equal: {roots}"
    numbers = ", ".join(map(str, list(one.different)[:10])) or "none"
    return (
        f"{one.stream}: the copies DIFFER at {len(one.different)} messages ({numbers}); not like the others:"
        f" {', '.join(one.suspects) or 'no majority'}; {roots}. Rebuild that broker (docs/operations.md)."
    )


if __name__ == "__main__":
    guarded(main)
