"""Which weight mattered?  Two evaluators, both named, because they answer different questions and can disagree.

fANOVA (Hutter et al. 2014): the share of the score's variance over the space that a weight explains, in a random forest
fitted to the complete trials.  PED-ANOVA (Watanabe et al. 2023): how far the best tenth of the trials is concentrated
along a weight.  Computed from a study's text; its database is not needed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from bench.study.text import Study

FEWEST = 8  # complete trials; below it a forest fits noise


@dataclass(frozen=True)
class Importance:
    """One parameter's share under each evaluator; each column sums to 1."""

    name: str
    fanova: float
    ped_anova: float


def importances(study: Study) -> tuple[Importance, ...]:
    """Importances in the order of the space; empty where too few trials are complete, or all have one value."""
    if (
        len(study.complete) < FEWEST
        or len({trial.value for trial in study.complete}) < 2
        or len(study.identity.space) < 2
    ):
        return ()
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    from bench.study.owner import frozen
    from bench.study.space import distributions

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    again = optuna.create_study(direction="maximize")
    space = distributions(study.dimensions)
    again.add_trials([frozen(trial, space) for trial in study.complete])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fanova = get_param_importances(again, evaluator=FanovaImportanceEvaluator(seed=0))
        ped = get_param_importances(again, evaluator=PedAnovaImportanceEvaluator())
    return tuple(Importance(name, fanova.get(name, 0.0), ped.get(name, 0.0)) for name in study.identity.space)
