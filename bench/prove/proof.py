"""Does a run that is killed at any moment end as if nothing had happened?  Asked of this machine, many times.

A reference is run without a kill.  Then the same commands begin in folders of their own, die by SIGKILL with all their
workers, go on, die again, are at last run to the end, and what they leave is compared with the reference.
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
from bench.prove.runs import Command, Ended, run
from bench.tracking.mlflow_place import EXPERIMENT, URI, Place
from bench.tracking.mlflow_store import peek

PART = ".part"
STUDIED = ("efficientface", "loss.mean=samples|elements")  # the smallest network, and what the study varies of it
KILLS = 3  # of one run at most
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
        given = f"--method {method} --dataset {DATASET} --budget quick --trials 3 --score-seeds 0 --jobs 1"
        what = (*given.split(), "--space", space)
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

    def start(self, subject: str, place: Path, now: Now | None = None) -> Ended:
        return run(self.commands(subject, place), self.environment(place), place / "log.txt", now)

    def finish(self, subject: str, place: Path) -> float:
        """Run to the end; returns the seconds.  Raises UserError where that fails."""
        ended = self.start(subject, place)
        if ended.code != 0:
            said = (place / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UserError(f"the run in {place} ended with exit code {ended.code}: {said[-1] if said else 'no word'}")
        return ended.seconds


@dataclass
class Victim:
    """A run that is killed again and again: where, and when it was."""

    subject: str
    place: Path
    kills: list[str] = field(default_factory=list)


class Now:
    """Has the moment of a kill come?  `at` is its time in seconds after the start, unless a write is waited for."""

    def __init__(self, moment: Moment, place: Path, at: float) -> None:
        self.moment, self.place, self.at = moment, place, at
        self.before = moment.sights(place)
        self.sighted: float | None = None

    def __call__(self, seconds: float) -> bool:
        if self.moment.write is None:
            return seconds >= self.at
        if self.sighted is None and self.moment.sights(self.place) - self.before:
            self.sighted = seconds
        return self.sighted is not None and seconds >= self.sighted + self.moment.linger


def prove(count: int, arguments: Sequence[str], runs: Path, own_data: bool) -> int:
    """Kill runs `count` times, print how many of these kills changed nothing; the exit code.

    `arguments` are those of bench.run.  Without data of the user's (`own_data`) the suite and a small study train on
    patches of noise; with it, on the user's, whose decoded images in `runs` are shared and thus written beforehand.
    """
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="prove-", dir=runs))
    data = () if own_data else ("--data", str(write_patches(folder / "patches")))
    proof = Proof(tuple(arguments), folder, data, runs / "cache" if own_data else None)
    if proof.cache is not None:
        proof.cache.mkdir(exist_ok=True)
    planned = moments(count, (SUITE,) if own_data else (SUITE, STUDY))
    for subject in dict.fromkeys(moment.subject for moment in planned):
        proof.longest[subject] = proof.finish(subject, proof.place(f"reference-{subject}"))
        say(f"the {subject} without a kill, the reference: {proof.longest[subject]:.1f} s")
    identical = kill_all(proof, planned)
    say(COMPARED)
    print(f"{identical} of {count} identical")
    if identical == count:
        shutil.rmtree(folder)
        return 0
    say(f"the runs that differ are kept in {folder}")
    return 1


def kill_all(proof: Proof, planned: Sequence[Moment]) -> int:
    """Kill a run at each moment; returns the number of kills after which all was as in the reference.

    A run is killed up to KILLS times, the resumed one too, before it may finish and is compared.
    """
    victims: dict[str, Victim] = {}
    identical, inside, number = 0, 0, 0
    for moment in planned:
        share = moment.share
        for _ in range(ATTEMPTS):
            victim = victims.pop(moment.subject, None)
            if victim is None:
                number += 1
                victim = Victim(moment.subject, proof.place(f"run-{number}"))
            left = set(victim.place.rglob(f"*{PART}"))
            now = Now(moment, victim.place, share * proof.longest[moment.subject])
            ended = proof.start(victim.subject, victim.place, now)
            if ended.code is None:
                break
            if not victim.kills:
                proof.longest[moment.subject] = ended.seconds
            identical += settled(proof, victim)  # it ended, well or not, before its moment came
            share *= 0.8
        else:
            raise UserError(f"the {moment.subject} ended {ATTEMPTS} times before it could be killed at {moment.what}")
        parts = [path.name.split(PART)[0] for path in set(victim.place.rglob(f"*{PART}")) - left]
        inside += bool(parts)
        victim.kills.append(f"{ended.seconds:.2f} s ({moment.what}{', inside ' + parts[0] if parts else ''})")
        if len(victim.kills) < KILLS:
            victims[moment.subject] = victim
        else:
            identical += settled(proof, victim)
    identical += sum(settled(proof, victim) for victim in victims.values())
    kinds = Counter(f"{moment.subject}, {moment.what}" for moment in planned)
    say(f"kills: {'; '.join(f'{times} {kind}' for kind, times in sorted(kinds.items()))}; {inside} inside a file")
    return identical


def settled(proof: Proof, victim: Victim) -> int:
    """Run to the end, compare, tell; the number of kills that changed nothing."""
    found = _wrong(proof, victim.subject, victim.place)
    verdict = "identical" if not found else "DIFFERENT: " + "; ".join(found)
    times = ", ".join(victim.kills) or "not killed"
    say(f"{victim.place.name}, {victim.subject}, killed after {times}: {verdict}")
    if found:
        return 0
    shutil.rmtree(victim.place)
    return len(victim.kills)


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


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
