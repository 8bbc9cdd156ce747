"""What is a study, once it is text?  Its identity and every finished trial, as JSON below results/studies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from bench.atomic import write_text
from bench.errors import UserError
from bench.record import Score, canonical
from bench.study.space import Space, from_text
from bench.switches import Scalar

SCHEMA = 1
Objective = Literal["accuracy", "balanced-accuracy"]
State = Literal["complete", "pruned", "diverged"]
MOST_LISTED = 4


@dataclass(frozen=True)
class Identity:
    """Everything on which a study's values or the order of its proposals depend; it is resumed under the same only.

    `space` maps a switch to its domain as --space takes it and `published` to its value in trial 0.  `recipe` is the
    one that all trials share.  `data` is the dataset's digest, `device` cpu or cuda (they round differently), and
    `sources` holds the digests of the files that a trial imports.
    """

    dataset: str
    method: str
    budget: str
    objective: Objective
    seed: int
    tuning_seeds: tuple[int, ...]
    space: Mapping[str, str]
    published: Mapping[str, Scalar]
    sampler: str
    pruner: str
    recipe: Mapping[str, Scalar]
    data: str
    weights: str
    weights_sha256: str | None
    device: str
    optuna: str
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FinishedTrial:
    """One finished trial.  `params` is the exact proposal (`space.as_trained` is what was trained).

    `steps` are the reports (step, value): after each epoch, counted on over the seeds, the mean of the seeds so far.
    `scores` are the validation counts of each tuning seed at its best epoch; empty unless the trial is complete.
    `value` is the mean objective over the seeds; for a pruned trial its last report; None where it diverged at once.
    `reason` says why it diverged.
    """

    state: State
    params: Mapping[str, Scalar]
    value: float | None
    steps: tuple[tuple[int, float], ...] = ()
    scores: tuple[Score, ...] = ()
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Study:
    """A study as text.

    `order_repeatable` is False as soon as trials ran side by side.  `interrupted` counts trials that a kill left
    unfinished (they were proposed anew).
    """

    name: str
    identity: Identity
    trials: tuple[FinishedTrial, ...]
    order_repeatable: bool = True
    interrupted: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of all that makes the outcome; times and interruptions do not count."""
        content = asdict(
            replace(self, interrupted=0, trials=tuple(replace(trial, seconds=0.0) for trial in self.trials))
        )
        return hashlib.sha256(canonical(content)).hexdigest()

    @property
    def complete(self) -> tuple[FinishedTrial, ...]:
        """The trials that were trained to the end."""
        return tuple(trial for trial in self.trials if trial.state == "complete")

    @property
    def published(self) -> FinishedTrial | None:
        """The published point; None before it is finished."""
        return next((trial for trial in self.trials if trial.params == self.identity.published), None)

    @property
    def dimensions(self) -> Space:
        """What was searched."""
        return from_text(self.identity.method, self.identity.space, self.identity.published)

    @property
    def best(self) -> FinishedTrial | None:
        """The complete trial with the largest value, the earliest of equals (so the published point wins a tie)."""
        return max(self.complete, key=lambda trial: trial.value or 0.0, default=None)

    def to_json(self) -> str:
        """The study as text, with its digest; ends with a newline."""
        content = {"schema": SCHEMA} | asdict(self) | {"digest": self.digest}
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Study:
        """Read a study.  Raises ValueError when a field is missing or unknown, or the digest does not fit."""
        content = json.loads(text)
        if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
            raise ValueError(f"not a study of schema {SCHEMA}")
        digest = content.pop("digest", None)
        study = Study(
            **content
            | {
                "identity": identity_from(content["identity"]),
                "trials": tuple(trial_from(trial) for trial in content["trials"]),
            }
        )
        if digest != study.digest:
            raise ValueError("the content does not fit the digest: the file was edited or is damaged")
        return study


def identity_from(content: Mapping[str, Any]) -> Identity:
    """An identity that went through JSON.  Raises TypeError when a field is missing or unknown."""
    return Identity(**{**content, "tuning_seeds": tuple(content["tuning_seeds"])})


def trial_from(content: Mapping[str, Any]) -> FinishedTrial:
    """A trial that went through JSON."""
    steps = tuple((int(step), float(value)) for step, value in content["steps"])
    return FinishedTrial(
        **{**content, "steps": steps, "scores": tuple(score_from(score) for score in content["scores"])}
    )


def score_from(content: Mapping[str, Any]) -> Score:
    """Validation counts that went through JSON."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    return Score(**values)


def objective_value(score: Score, objective: Objective) -> float:
    """What a study maximises, from the counts of one seed on the validation split."""
    return score.accuracy if objective == "accuracy" else score.balanced_accuracy


def differences(begun: Identity, now: Identity) -> tuple[str, ...]:
    """What differs between the identity under which a study began and that of this call, in words."""
    found: list[str] = []
    for name in (each.name for each in fields(Identity)):
        old, new = getattr(begun, name), getattr(now, name)
        if name == "sources":
            changed = sorted(file for file in old.keys() | new.keys() if old.get(file) != new.get(file))
            if changed:
                more = f" and {len(changed) - MOST_LISTED} more" if len(changed) > MOST_LISTED else ""
                found.append(f"{', '.join(changed[:MOST_LISTED])}{more} changed")
        elif isinstance(old, Mapping):
            found += [
                f"{name} {key}: {_text(old.get(key))}, now {_text(new.get(key))}"
                for key in dict.fromkeys((*old, *new))
                if old.get(key) != new.get(key) or (key in old) != (key in new)
            ]
        elif old != new:
            found.append(f"{name.replace('_', ' ')}: {_text(old)}, now {_text(new)}")
    return tuple(found)


def study_path(results: Path, name: str) -> Path:
    return results / "studies" / f"{name}.json"


def save(results: Path, study: Study) -> None:
    """Write the study; a reader sees the old text or the new, never a mixture."""
    write_text(study_path(results, study.name), study.to_json())


def load(results: Path, name: str) -> Study | None:
    """A study, None where there is none.  Raises UserError for a damaged file."""
    path = study_path(results, name)
    try:
        return Study.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: {reason}; restore it, or delete it (a study in its storage is written anew)"
        ) from None


def load_all(results: Path) -> tuple[Study, ...]:
    """Every study in results/studies, in the order of their names.  Raises UserError at the first damaged one."""
    folder = results / "studies"
    names = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
    return tuple(study for name in names if (study := load(results, name)) is not None)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = str(value)
    return text[:12] if len(text) == 64 else text  # a digest
