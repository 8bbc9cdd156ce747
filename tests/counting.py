"""A command that test_prove.py kills: it counts to ten in a file.  (Not a test: a module that a child can import.)"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from bench.atomic import write_text


def main(arguments: tuple[str, ...]) -> int:
    place, manner = Path(arguments[0]), arguments[1]
    file = place / "results" / "count.txt"
    if (place / "fail").exists():
        print("no more paper", file=sys.stderr)
        return 7
    if manner == "fork":
        child = os.fork()
        if not child:
            time.sleep(600)
        write_text(place / "child", f"{child}\n")
        time.sleep(600)
    lines = file.read_text().splitlines() if file.exists() else []
    if manner == "careless" and lines:
        lines.append("again")
    while len(lines) < 10:
        time.sleep(0.05)
        lines.append(str(len(lines)))
        write_text(file, "\n".join(lines) + "\n")
    return 0
