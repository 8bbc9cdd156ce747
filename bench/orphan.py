"""How does a worker end when the process that started it is gone?  At once: it would hold locks and write on unseen."""

from __future__ import annotations

import os
from multiprocessing import parent_process
from threading import Thread


def end_with_parent() -> None:
    """Let this worker process die with its parent, however that one dies (SIGKILL leaves nobody to tell the workers).

    What it was at is whole: files appear by renaming, and locks go with the process.
    """
    Thread(target=_wait_and_end, name="end-with-parent", daemon=True).start()


def _wait_and_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
