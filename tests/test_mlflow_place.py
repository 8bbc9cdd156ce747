"""Is the store's address right, and does it keep its secrets?"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.tracking.mlflow_place import EXPERIMENT, URI, Place, how_to_open, masked, place


@pytest.fixture(autouse=True)
def no_store_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URI, raising=False)
    monkeypatch.delenv(EXPERIMENT, raising=False)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("https://mlflow.example.org", "https://mlflow.example.org"),
        ("https://me:pass@host:5000/x", "https://me:***@host:5000/x"),
        ("https://token@host", "https://***@host"),
        ("postgresql+psycopg2://me:p@s/s@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("mysql://host/db?user=me&password=secret&ssl=1", "mysql://host/db?user=me&password=***&ssl=1"),
    ],
)
def test_a_secret_in_an_address_is_not_shown(uri: str, shown: str, tmp_path: Path) -> None:
    assert masked(uri) == shown
    where = Place(uri, "x", tmp_path)
    assert where.clean(f"cannot reach {uri}") == f"cannot reach {shown}"


def test_a_driver_that_decodes_the_password_does_not_show_it(tmp_path: Path) -> None:
    where = Place("postgresql://me:p%40ss@host/db", "x", tmp_path)
    assert where.clean("no login for me with p@ss") == "no login for me with ***"


def test_how_to_open_stays_on_this_machine_and_hides_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = how_to_open(place(tmp_path), "7").splitlines()
    assert f"--backend-store-uri sqlite:///{tmp_path / 'mlflow.db'}" in lines[-2] and "--host 127.0.0.1" in lines[-2]
    assert lines[-1].startswith("http://127.0.0.1:") and "?workflowType=machine_learning" in lines[-1]
    for uri in ("postgresql://me:hidden@host/db", "https://me:hidden@host"):
        monkeypatch.setenv(URI, uri)
        assert "hidden" not in how_to_open(place(tmp_path), "7")
    assert how_to_open(place(tmp_path), "7").startswith("https://host/#/experiments/7/")


@pytest.mark.parametrize(
    ("uri", "database", "artifacts"),
    [
        ("sqlite:////a b/m.db", "/a b/m.db", True),
        ("sqlite:////a/m.db?timeout=3", "/a/m.db", True),
        ("postgresql+psycopg2://host/db", None, True),
        ("https://host", None, False),
    ],
)
def test_only_a_database_keeps_its_files_below_runs(
    uri: str, database: str | None, artifacts: bool, tmp_path: Path
) -> None:
    where = Place(uri, "x", tmp_path)
    assert where.database == (Path(database) if database else None)
    assert where.artifacts == ((tmp_path / "mlartifacts").as_uri() if artifacts else None)
    assert where.lock == (Path(f"{database}.lock") if database else tmp_path / "mlflow.lock")


def test_the_environment_names_store_and_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place(tmp_path) == Place(f"sqlite:///{tmp_path.resolve()}/mlflow.db", "dan-bench", tmp_path)
    monkeypatch.setenv(URI, "https://host")
    monkeypatch.setenv(EXPERIMENT, "mine")
    assert place(tmp_path) == Place("https://host", "mine", tmp_path)
