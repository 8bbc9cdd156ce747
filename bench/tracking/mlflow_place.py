"""Which MLflow store do runs go to, and how may its address be shown?  Imports no mlflow.

MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME are honoured; without them it is a sqlite file below the runs folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import quote
from urllib.parse import unquote

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
DEFAULT_EXPERIMENT = "dan-bench"
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
PORT = 5000  # MLflow's own
VIEW = "cells"  # the shared view of the experiment that shows the columns of interest
HIDDEN = "***"
# A password may hold an unescaped @ or /, so the user part reaches to the last @.
_USER = re.compile(r"^(?P<scheme>[\w.+-]+://)(?P<user>[^:@]*)(?P<password>:.*)?@")
_QUERY = re.compile(r"(?P<name>[?&][^=&]*(?:passw|pwd|token|secret|key)[^=&]*=)(?P<value>[^&]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """An MLflow store and the experiment in it.  `runs` is the folder for what MLflow leaves on this machine."""

    uri: str
    experiment: str
    runs: Path

    @property
    def scheme(self) -> str:
        """`sqlite` of `sqlite:////a/b.db`, `postgresql` of `postgresql+psycopg2://...`."""
        return self.uri.split(":", 1)[0].split("+")[0].lower()

    @property
    def database(self) -> Path | None:
        """The file of a sqlite store, None for any other."""
        head, separator, path = self.uri.partition(":///")
        return Path(path.split("?", 1)[0]).absolute() if head == "sqlite" and separator and path else None

    @property
    def lock(self) -> Path:
        """The file that a writing process locks: beside the database, which several runs folders may share."""
        return Path(f"{self.database}.lock") if self.database else self.runs / "mlflow.lock"

    @property
    def artifacts(self) -> str | None:
        """Where a new experiment keeps its files; None where a server decides.  (MLflow's default is ./mlruns.)"""
        return (self.runs / "mlartifacts").resolve().as_uri() if self.scheme in DATABASES else None

    @property
    def shown(self) -> str:
        """The address without its secrets."""
        return masked(self.uri)

    def clean(self, text: str) -> str:
        """Somebody else's message without this place's secrets."""
        text = text.replace(self.uri, self.shown)
        for secret in sorted(_secrets(self.uri), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text


def place(runs: Path) -> Place:
    """The store that the environment names, else `<runs>/mlflow.db`."""
    own = f"sqlite:///{runs.resolve() / 'mlflow.db'}"
    return Place(os.environ.get(URI) or own, os.environ.get(EXPERIMENT) or DEFAULT_EXPERIMENT, runs)


def masked(uri: str) -> str:
    """The address with *** for a password, for a user without one (it is a token), and for secrets in the query."""
    if not uri.lower().startswith("sqlite:"):
        uri = _USER.sub(lambda m: f"{m['scheme']}{m['user'] + ':' + HIDDEN if m['password'] else HIDDEN}@", uri)
    return _QUERY.sub(rf"\g<name>{HIDDEN}", uri)


def how_to_open(place: Place, experiment_id: str) -> str:
    """What to type and which page to open, on this machine only.

    `workflowType=machine_learning` keeps MLflow 3 from opening the experiment as one of language models.
    """
    page = f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
    if place.scheme in ("http", "https"):
        return _USER.sub(r"\g<scheme>", place.uri).split("?")[0].rstrip("/") + page
    store = f'"${URI}"' if os.environ.get(URI) else quote(place.uri)  # a password is not printed
    command = f"mlflow ui --backend-store-uri {store} --host 127.0.0.1 --port {PORT} --workers 1"
    return "\n".join([*_needs_server(), command, f"http://127.0.0.1:{PORT}{page}"])


def _needs_server() -> list[str]:
    try:
        version("mlflow")
    except PackageNotFoundError:
        return ["# the page needs the whole package: pip install 'mlflow>=3.17,<3.18' (mlflow-skinny only writes)"]
    return []


def _secrets(uri: str) -> set[str]:
    """What must not be printed, as written and as a driver may print it (percent signs decoded)."""
    found = [match["value"] for match in _QUERY.finditer(uri)]
    user = _USER.match(uri)
    if user and not uri.lower().startswith("sqlite:"):
        found.append(user["password"][1:] if user["password"] else user["user"])
    found += [os.environ.get(name, "") for name in SECRETS]
    return {form for secret in found for form in (secret, unquote(secret)) if form}
