"""Who proposes, who stops a trial early, and how does a trial read as one line?"""

from __future__ import annotations

import optuna

from bench.errors import unknown
from bench.markdown import percent
from bench.spec import slug
from bench.study.space import as_trained
from bench.study.text import FinishedTrial, Study

STARTUP_TRIALS = 5  # complete trials that the pruner sees before it judges
SAMPLERS, PRUNERS = ("tpe", "random"), ("median", "none")


def sampler(kind: str, seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of that name."""
    if kind not in SAMPLERS:
        raise unknown("sampler", kind, SAMPLERS, "--sampler")
    return optuna.samplers.RandomSampler(seed) if kind == "random" else optuna.samplers.TPESampler(seed=seed)


def pruner(kind: str, epochs: int) -> optuna.pruners.BasePruner:
    """`median` stops a trial whose best report so far is below the median of the complete trials at the same step.

    It looks at complete trials only; successive halving would also count those that a kill left behind.
    """
    if kind not in PRUNERS:
        raise unknown("pruner", kind, PRUNERS, "--pruner")
    if kind == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=-(-epochs // 3))


def progress_line(study: Study, trial: FinishedTrial, total: int) -> str:
    """`[3/20] loss.lambda1=0.3: 41.20 % (complete); best 42.00 %`."""
    point = slug(tuple(as_trained(trial.params).items()))
    outcome = f"{percent(trial.value)} % after {len(trial.steps)} epochs, {trial.state}" if trial.steps else trial.state
    best = f"; best {percent(study.best.value)} %" if study.best is not None else ""
    reason = f" ({trial.reason})" if trial.reason else ""
    return f"[{len(study.trials)}/{total}] {point}: {outcome}{reason}{best}"
