"""Where, when and with what was a cell measured?  Facts that explain a number but cannot be part of its identity."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "scipy", "scikit-learn", "optuna")
TREE = Path(__file__).resolve().parent.parent


def provenance(device: str) -> dict[str, Any]:
    """The provenance of a cell that starts now on `device` (as text for people)."""
    return {
        "git": git("rev-parse", "HEAD"),
        "dirty": dirty(),
        "python": platform.python_version(),
        "packages": packages(),
        "device": device,
        "machine": machine(),
        "threads": 1 if device == "cpu" else os.cpu_count(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def git(*arguments: str) -> str | None:
    """What git answers about this tree; None outside a repository or without git."""
    try:
        answer = subprocess.run(("git", *arguments), cwd=TREE, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def dirty() -> str | None:
    """The digest of what differs from the commit in the sources; None when nothing does."""
    diff = git("diff", "HEAD", "--", "bench", "dan", "baselines")
    return hashlib.sha256(diff.encode()).hexdigest()[:12] if diff else None


@cache
def packages() -> dict[str, str]:
    """Versions of the packages that compute the numbers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def machine() -> str:
    """The processor as the system names it, and how many cores this process may use (no host name: it can be a
    person's)."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # not Linux: the name above is what there is
    return f"{name}, {os.cpu_count()} cores"
