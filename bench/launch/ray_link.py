"""How does this process speak to Ray: to a cluster of its own on the loopback, or to that which RAY_ADDRESS names?"""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.device import cuda_count
from bench.errors import UserError

TREE = Path(__file__).resolve().parent.parent.parent
ADDRESS = "RAY_ADDRESS"
STORE_BYTES = 80 * 2**20  # records are files: the object store holds next to nothing
# Sockets go there, and their paths must stay below 107 characters.
_SHORT = "/tmp" if os.name == "posix" else None
INSTALL = "pip install 'ray>=2.50,<3'"


@contextmanager
def connected(workers: int) -> Iterator[Any]:
    """Ray, connected to the cluster of RAY_ADDRESS or to one of its own on the loopback that ends with the block."""
    address = os.environ.get(ADDRESS, "")
    with tempfile.TemporaryDirectory(prefix="dan-bench-", dir=_SHORT, ignore_cleanup_errors=True) as folder:
        ray = _started(address, workers, folder)
        try:
            yield ray
        finally:
            ray.shutdown()


def _started(address: str, workers: int, folder: str = "") -> Any:
    ray = _imported(address)
    options: dict[str, Any] = {
        "address": address or "local",
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": {"PYTHONPATH": str(TREE), "OMP_NUM_THREADS": "1"}},
    }
    if not address:
        options |= {
            "num_cpus": workers,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
            "_temp_dir": folder,
        }
    try:
        if address:
            _knock(address)  # Ray itself tries for minutes
        ray.init(**options)
    except UserError:
        raise
    except Exception as error:  # Ray raises bare ones where its daemons are not up within 30 s
        where = f"{ADDRESS}={address} does not answer" if address else "Ray does not start; is the machine very busy?"
        raise UserError(f"{where} ({last_line(error)})") from None
    return ray


def _knock(address: str) -> None:
    """Raises UserError for an address of another kind, OSError where nobody listens.  `auto` is this machine's node."""
    host, _, port = address.rpartition(":")
    if address != "auto" and not (re.fullmatch(r"[^/]+", host) and port.isdigit()):
        raise UserError(f"{ADDRESS}={address}: run the command on a node of the cluster and name its head, HOST:6379")
    if address != "auto":
        socket.create_connection((host, int(port)), timeout=10).close()


def _imported(address: str) -> Any:
    """Ray, told before its import to send nothing home, to print nothing of its own, and, where no other machine is
    named, to stay on the loopback; its own cluster behind a token of this run."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # lines of its daemons, which it prints on stdout
    if not address or address.startswith(("127.", "localhost:")):
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # whatever its name says: 127.0.0.1 only, on Linux too
    if not address:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UserError(f"--executor ray needs Ray, which is not installed: {INSTALL}") from None
    return ray


def gpus() -> int:
    """How many GPUs the cluster has; without RAY_ADDRESS, this machine."""
    return _resource("GPU") if os.environ.get(ADDRESS) else cuda_count()


def cpus() -> int:
    """How many processor cores the cluster has; without RAY_ADDRESS, this machine."""
    return _resource("CPU") if os.environ.get(ADDRESS) else os.cpu_count() or 1


def _resource(name: str) -> int:
    return int(_resources(os.environ[ADDRESS]).get(name, 0))


@cache
def _resources(address: str) -> dict[str, float]:
    """What the cluster at this address has now."""
    ray = _started(address, 1)
    try:
        return ray.cluster_resources()
    finally:
        ray.shutdown()


def last_line(error: Exception) -> str:
    """The sentence of an error that says most: Ray puts a worker's traceback before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
