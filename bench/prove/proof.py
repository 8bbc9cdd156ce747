"""Does a run that is killed at any moment end as if nothing had happened?  Asked of this machine, many times.

A reference is run without a kill.  Then, for each kill, the same commands begin in folders of their own, die by SIGKILL
with all their workers, are run again to the end, and what they leave is compared with the reference.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import UserError
from bench.prove.compare import COMPARED, differences
from bench.prove.moments import STUDY, SUITE, Moment, moments
from bench.prove.patches import DATASET, write_patches
from bench.prove.runs import Command, run
from bench.tracking.mlflow_place import EXPERIMENT, URI, Place
from bench.tracking.mlflow_store import peek

PART = ".part"
STUDIED = ("efficientface", "loss.mean=samples|elements")  # the smallest network, and what the study varies of it
ATTEMPTS = 5  # a run may end before its moment comes: the next attempt is killed earlier


@dataclass
class Proof:
    """What all kills of a proof share.  `data` are the options that name the data, `cache` a cache of decoded images
    to share (None: each run decodes its own); `longest` the seconds of an uninterrupted run, by subject."""

    arguments: tuple[str, ...]
    folder: Path
    data: tuple[str, ...]
    cache: Path | None
    longest: dict[str, float] = field(default_factory=dict)

    def commands(self, subject: str, place: Path) -> tuple[Command, ...]:
        folders = ("--results", str(place / "results"), "--runs", str(place / "runs"))
        if subject == SUITE:
            again = ("--prove", "0", "--checkpoint-seconds", "0")
            return (("bench.run", (*self.arguments, *self.data, *folders, *again)), ("bench.track", folders))
        method, space = STUDIED
        what = ("--method", method, "--space", space, "--dataset", DATASET, "--trials", "3", "--score-seeds", "0")
        what += ("--budget", "quick", "--jobs", "1")
        return (("bench.tune", (*what, *self.data, *folders)), ("bench.track", folders))

    def place(self, name: str) -> Path:
        """An empty folder for a run."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        (place / "runs").mkdir(parents=True)
        if self.cache is not None:
            (place / "runs" / "cache").symlink_to(self.cache.resolve(), target_is_directory=True)
        return place

    def mlflow(self, place: Path) -> Place:
        """One database for the proof, an experiment for each run: making the schema takes seconds."""
        return Place(f"sqlite:///{self.folder.resolve() / 'mlflow.db'}", place.name, place / "runs")

    def environment(self, place: Path) -> dict[str, str]:
        store = self.mlflow(place)
        return {URI: store.uri, EXPERIMENT: store.experiment, "OMP_NUM_THREADS": "1"}

    def finish(self, subject: str, place: Path) -> float:
        """Run to the end; returns the seconds.  Raises UserError where that fails."""
        ended = run(self.commands(subject, place), self.environment(place), place / "log.txt")
        if ended.code != 0:
            said = (place / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UserError(f"the run in {place} ended with exit code {ended.code}: {said[-1] if said else 'no word'}")
        return ended.seconds


def prove(count: int, arguments: Sequence[str], runs: Path, own_data: bool) -> int:
    """Kill the run `count` times, print how many ended as the reference did; the exit code.

    `arguments` are those of bench.run.  Without data of the user's (`own_data`) the suite and a small study train on
    patches of noise; with it, on the user's, whose decoded images in `runs` are shared and thus written beforehand.
    """
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="prove-", dir=runs))
    data = () if own_data else ("--data", str(write_patches(folder / "patches")))
    proof = Proof(tuple(arguments), folder, data, runs / "cache" if own_data else None)
    if proof.cache is not None:
        proof.cache.mkdir(exist_ok=True)
    subjects = (SUITE,) if own_data else (SUITE, STUDY)
    planned = moments(count, subjects)
    for subject in dict.fromkeys(moment.subject for moment in planned):
        _say(f"the {subject} without a kill, as the reference ...")
        place = proof.place(f"reference-{subject}")
        proof.longest[subject] = proof.finish(subject, place)
        _say(f"the {subject} without a kill: {proof.longest[subject]:.1f} s")
    identical, torn, kinds = 0, 0, Counter[str]()
    for number, moment in enumerate(planned, 1):
        place = proof.place(f"kill-{number}")
        seconds, parts = _killed(proof, moment, place)
        found = _wrong(proof, moment.subject, place)
        identical += not found
        torn += bool(parts)
        kinds[f"{moment.subject}: {moment.what}"] += 1
        inside = f", inside {parts[0]}" if parts else ""
        verdict = "identical" if not found else "DIFFERENT: " + "; ".join(found)
        _say(f"[{number}/{count}] {moment.subject} killed after {seconds:.2f} s ({moment.what}{inside}): {verdict}")
        if not found:
            shutil.rmtree(place)
    _say(f"kills: {', '.join(f'{kind} {times}' for kind, times in sorted(kinds.items()))}")
    _say(f"{torn} of them fell inside the writing of a file; {COMPARED}")
    print(f"{identical} of {count} identical")
    if identical == count:
        shutil.rmtree(folder)
        return 0
    _say(f"the runs that differ are kept in {folder}")
    return 1


def _killed(proof: Proof, moment: Moment, place: Path) -> tuple[float, list[str]]:
    """Begin the run and kill it; returns when that was, and which files were being written."""
    share = moment.share
    for _ in range(ATTEMPTS):
        now = _Now(moment, place, share * proof.longest[moment.subject])
        ended = run(proof.commands(moment.subject, place), proof.environment(place), place / "log.txt", now)
        if ended.code is None:
            parts = [path.name.split(".part")[0] for path in place.rglob(f"*{PART}")]
            return ended.seconds, parts
        if ended.code != 0:
            proof.finish(moment.subject, place)  # says what went wrong
        proof.longest[moment.subject] = ended.seconds
        share *= 0.8
        proof.place(place.name)
    raise UserError(f"the {moment.subject} ended {ATTEMPTS} times before it could be killed at {moment.what}")


@dataclass
class _Now:
    """Has the moment of a kill come?  `at` is its time in seconds after the start, unless a write is waited for."""

    moment: Moment
    place: Path
    at: float
    sighted: float | None = None

    def __call__(self, seconds: float) -> bool:
        if self.moment.write is None:
            return seconds >= self.at
        if self.sighted is None and self.moment.seen(self.place):
            self.sighted = seconds
        return self.sighted is not None and seconds >= self.sighted + self.moment.linger


def _wrong(proof: Proof, subject: str, place: Path) -> list[str]:
    """What differs from the reference once the killed run was run again; empty where all is well."""
    reference = proof.folder / f"reference-{subject}"
    try:
        proof.finish(subject, place)
        found = list(differences(reference / "results", place / "results"))
    except (UserError, ValueError) as error:
        return [str(error)]
    if _shelf(proof, place) != _shelf(proof, reference):
        found.append("MLflow shows other runs")
    return found


def _shelf(proof: Proof, place: Path) -> list[tuple[str, bool]] | None:
    """Each cell that MLflow shows, and whether its run was finished."""
    held = peek(proof.mlflow(place))
    return sorted((stored.cell, stored.projection is not None) for stored in held.runs) if held else None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
