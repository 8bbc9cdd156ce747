"""In which order are proposals made, and what becomes of them when the process is killed?

After k finished trials the next is proposed by a sampler seeded from (seed, k) alone, and trials that a kill left
behind count for nothing, so a study run in pieces proposes what an uninterrupted one does.
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from bench.errors import UserError
from bench.study import text as study_text
from bench.study.search import progress_line, pruner, sampler
from bench.study.space import Space, distributions, published
from bench.study.storage import open_storage, owned, plain_errors, quiet
from bench.study.text import FinishedTrial, Identity, Study, objective_value
from bench.study.workers import Ending, Objective, in_turn, side_by_side
from bench.switches import Scalar

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

Said = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What a study is asked to do.  `trials` is the total; `folder` holds journal, lock and unfinished training.

    `url` is an Optuna storage in place of the journal.  `workers` > 1 trains side by side.  `take_over` gives up trials
    that another machine left running.
    """

    name: str
    identity: Identity
    space: Space
    trials: int
    folder: Path
    results: Path
    url: str | None = None
    workers: int = 1
    take_over: bool = False


@dataclass(frozen=True)
class Result:
    """The study as it stands, and how many trials another machine has under way."""

    study: Study
    elsewhere: int = 0


def run(task: Task, objective: Objective, say: Said = lambda line: None) -> Result:
    """Run what is missing of a study; its text in results/studies is renewed after every trial.

    Raises UserError where the study was begun under another identity, is locked, or its storage cannot be read.
    """
    quiet()
    with owned(task.folder, task.name) as token, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        keeper = _Keeper(task, token, say)
        keeper.open()
        if task.workers > 1:
            side_by_side(keeper, objective, task.workers)
        else:
            in_turn(keeper, objective)
        return Result(keeper.written(), keeper.elsewhere())


@dataclass
class _Keeper:
    """The owner of a study: asks, reports, tells, and writes the text."""

    task: Task
    token: str
    say: Said
    study: optuna.Study = field(init=False)

    def open(self) -> None:
        """Create or load the study, check its identity, give up what a crash left, add what the storage lacks."""
        task = self.task
        text = study_text.load(task.results, task.name)
        if text is not None:
            _same(text.identity, task)
        storage = open_storage(task.folder, task.name, task.url)
        with self.guarded():
            self.study = optuna.create_study(
                study_name=task.name, storage=storage, direction="maximize", load_if_exists=True,
                pruner=pruner(task.identity.pruner, int(task.identity.recipe.get("epochs") or 1)),
            )  # fmt: skip
            begun = self.study.user_attrs.get("identity")
        if begun is not None:
            _same(study_text.identity_from(json.loads(begun)), task)
        with self.guarded():
            if begun is None:
                self.study.set_user_attr("identity", json.dumps(asdict(task.identity), sort_keys=True))
            if task.workers > 1 or (text is not None and not text.order_repeatable):
                self.study.set_user_attr("parallel", True)
            self._give_up_the_dead()
            if text is not None:
                self._bring_back(text)
        self.written()

    def begin(self) -> Trial | None:
        """The next trial, or None when enough are finished or under way."""
        with self.guarded():
            everything = self.study.get_trials(deepcopy=False)
            finished = sum(trial.state in FINISHED for trial in everything)
            running = sum(trial.state == TrialState.RUNNING for trial in everything)
            if finished + running >= self.task.trials:
                return None
            if not any(self._is_published(trial) for trial in everything):
                self.study.enqueue_trial(published(self.task.space))
            self.study.sampler = self._sampler(finished, len(everything))
            trial = self.study.ask(fixed_distributions=distributions(self.task.space))
            trial.set_user_attr("owner", self.token)
        return trial

    def params(self, trial: Trial) -> dict[str, Scalar]:
        return dict(trial.params)

    def report(self, trial: Trial, step: int, value: float) -> bool:
        """Note the value of an epoch; True when the pruner would stop the trial.

        The published point is never stopped: all else is compared with it.
        """
        with self.guarded():
            trial.report(value, step)
            return trial.should_prune() and trial.params != published(self.task.space)

    def end(self, trial: Trial, ending: Ending) -> None:
        """Tell the storage how a trial ended, and renew the text."""
        if ending.state == "diverged" and trial.params == published(self.task.space):
            self.lose(trial)
            raise UserError(f"the published point itself fails: {ending.reason}")
        with self.guarded():
            trial.set_user_attr("seconds", ending.seconds)
            if ending.state == "complete":
                trial.set_user_attr("scores", [asdict(score) for score in ending.scores])
                value = fmean(objective_value(score, self.task.identity.objective) for score in ending.scores)
                self.study.tell(trial, value)
            else:
                if ending.reason:
                    trial.set_user_attr("reason", ending.reason)
                self.study.tell(trial, state=TrialState.PRUNED)
        done = next(one for one in self._finished() if one.number == trial.number)
        self.say(progress_line(self.written(), _text_of(done), self.task.trials))

    def lose(self, trial: Trial) -> None:
        """A trial without an ending is failed, and its proposal made again by the next."""
        with self.guarded():
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def elsewhere(self) -> int:
        """Trials that run on other machines."""
        with self.guarded():
            return len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def written(self) -> Study:
        """The study as text, saved."""
        with self.guarded():
            everything = self.study.get_trials(deepcopy=False)
            parallel = bool(self.study.user_attrs.get("parallel"))
        finished = [_text_of(trial) for trial in everything if trial.state in FINISHED]
        study = Study(
            name=self.task.name,
            identity=self.task.identity,
            # Side by side another trial can end up before the published point, which is trial 0 in every text.
            trials=tuple(sorted(finished, key=lambda trial: trial.params != self.task.identity.published)),
            order_repeatable=not parallel,
            interrupted=sum(trial.state == TrialState.FAIL for trial in everything),
        )
        study_text.save(self.task.results, study)
        return study

    def guarded(self) -> Any:
        return plain_errors(self.task.folder, self.task.name, self.task.url)

    def _is_published(self, trial: FrozenTrial) -> bool:
        """Whether this is the published point: finished, running, or waiting to be asked for (only it ever waits)."""
        alive = trial.state in FINISHED or trial.state == TrialState.RUNNING
        return trial.state == TrialState.WAITING or (alive and trial.params == published(self.task.space))

    def _finished(self) -> list[FrozenTrial]:
        with self.guarded():
            return self.study.get_trials(deepcopy=False, states=FINISHED)

    def _sampler(self, finished: int, total: int) -> optuna.samplers.BaseSampler:
        """In turn: a function of (seed, finished trials).

        Side by side there is no order to repeat: proposals made at once, here or on another machine, must only differ.
        """
        identity = self.task.identity
        axes = [identity.seed, finished]
        if self.study.user_attrs.get("parallel"):
            axes = [identity.seed, total, zlib.crc32(self.token.encode())]
        seed = int(np.random.SeedSequence(axes).generate_state(1)[0])
        return sampler(identity.sampler, seed)

    def _give_up_the_dead(self) -> None:
        """Fail the trials that a crash left running: this machine's own, and those that nobody claimed."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            owner = trial.user_attrs.get("owner")
            forgotten = owner is None and _older_than_a_minute(trial)
            if self.task.url is None or self.task.take_over or owner == self.token or forgotten:
                self.study.tell(trial.number, state=TrialState.FAIL)
            else:  # another machine works on this study
                self.study.set_user_attr("parallel", True)

    def _bring_back(self, text: Study) -> None:
        """Add the trials that the text has and the storage lacks (it was deleted, or an older copy took its place)."""
        stored = [replace(_text_of(trial), seconds=0.0) for trial in self._finished()]
        lacking = [trial for trial in text.trials if replace(trial, seconds=0.0) not in stored]
        if not lacking:
            return
        if stored != [replace(trial, seconds=0.0) for trial in text.trials[: len(stored)]]:
            raise UserError(
                f"{study_text.study_path(self.task.results, self.task.name)} and the study's storage hold different "
                "trials; delete one of them, or begin another study with --study NAME"
            )
        space = distributions(self.task.space)
        for trial in text.trials[len(stored) :]:
            self.study.add_trial(frozen(trial, space))


def frozen(trial: FinishedTrial, space: dict[str, Any]) -> FrozenTrial:
    """A trial from text in Optuna's terms."""
    attributes: dict[str, Any] = {"seconds": trial.seconds}
    if trial.scores:
        attributes["scores"] = [asdict(score) for score in trial.scores]
    if trial.reason:
        attributes["reason"] = trial.reason
    return create_trial(
        state=TrialState.COMPLETE if trial.state == "complete" else TrialState.PRUNED,
        value=trial.value,
        params=dict(trial.params),
        distributions=space,
        user_attrs=attributes,
        intermediate_values=dict(trial.steps),
    )


def _text_of(trial: FrozenTrial) -> FinishedTrial:
    reason = trial.user_attrs.get("reason", "")
    return FinishedTrial(
        state="complete" if trial.state == TrialState.COMPLETE else "diverged" if reason else "pruned",
        params=dict(trial.params),
        value=trial.value,
        steps=tuple(sorted((int(step), float(value)) for step, value in trial.intermediate_values.items())),
        scores=tuple(study_text.score_from(score) for score in trial.user_attrs.get("scores", ())),
        reason=reason,
        seconds=trial.user_attrs.get("seconds", 0.0),
    )


def _same(begun: Identity, task: Task) -> None:
    """Raises UserError with all that differs from the identity under which the study began."""
    found: Sequence[str] = study_text.differences(begun, task.identity)
    if found:
        raise UserError(
            f"the study '{task.name}' was begun differently ({'; '.join(found)}); "
            "give the same options, or begin another study with --study NAME"
        )


def _older_than_a_minute(trial: FrozenTrial) -> bool:
    return trial.datetime_start is None or datetime.now() - trial.datetime_start > timedelta(minutes=1)
