"""What do the stored answers say beyond an accuracy?  Calibration, classes, ensembles of seeds, image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench import calibration, metrics, stats
from bench.data.catalog import info, title
from bench.markdown import (
    MISSING,
    Column,
    Page,
    Section,
    bullets,
    grouped,
    p_value,
    percent,
    points,
    spans,
    table,
)
from bench.report.footers import footers, status
from bench.report.predictions_rows import Looked, Material, material, pairs, together
from bench.report.reported import Reported
from bench.report.stored import Stored
from bench.report.table_rows import HEADLINE, Finished
from bench.spec import Suite, Table

FOOTERS = (
    "Every figure is a mean over the seeds of a row, of the epoch that its table reports, unless a column says "
    "otherwise; all of it is computed from `results/predictions` without training or reading an image.",
    "NLL is in nats; a method that answers every class alike has ln C.  ECE is the mean gap between confidence and "
    "accuracy over 15 equal bins; on few images it is biased upwards, so compare it within this page only.",
)


def page(
    tables: Sequence[Table], dataset: str, suite: Suite, finished: Finished, reported: Reported, stored: Stored
) -> Page:
    """The page of a suite on one dataset."""
    headline = HEADLINE[suite.protocol]
    found = material(tables, dataset, suite, finished, reported, stored, headline)
    whole = footers(dataset, suite, found.main, [row.trained for row in found.rows])
    return Page(
        heading=f"Calibration, classes and ensembles: {title(dataset)}",
        status=status(dataset, found.main, False),
        table="",
        sections=(
            Section("Calibration", calibration_section(found.rows)),
            Section("Recall by class", classes_section(found.rows, info(dataset).classes)),
            Section("Ensembles of seeds", ensembles_section(found.rows)),
            Section("Image by image", images_section(found)),
            Section("Answers that cannot be read", grouped((row.name, _unread(row)) for row in found.rows)),
            Section("Notes", bullets(found.notes)),
        ),
        footers=(*FOOTERS, *whole[:-2]),  # without the key to the columns of accuracy tables
    )


def calibration_section(rows: Sequence[Looked]) -> str:
    """NLL and ECE on the test images; under the honest protocol also with a temperature fitted on validation images."""
    columns = (
        Column("Row", "left"), Column("Accuracy"), Column("Confidence"), Column("NLL"), Column("ECE"),
        Column("Temperature"), Column("NLL, scaled"), Column("ECE, scaled"),
    )  # fmt: skip
    listed = [(row.name, *_calibrated(row)) for row in rows if row.answers]
    if not listed:
        return ""
    fitted = any(each.val_logits is not None for row in rows for each in row.answers.values())
    note = (
        "One temperature a seed divides the logits; it has the least NLL on that seed's validation images and no test "
        "label chose it (Guo et al. 2017).  It changes no answer, so no accuracy."
        if fitted
        else "No temperature: this protocol holds no validation images out, and fitting on test images would flatter."
    )
    return f"{table(columns, listed)}\n\n{note}"


def classes_section(rows: Sequence[Looked], classes: Sequence[str]) -> str:
    """Recall of each class, balanced accuracy, macro F1, the worst class, and what it is mostly taken for."""
    answered = [row for row in rows if row.answers]
    if not answered:
        return ""
    sizes = next(iter(answered[0].trained.records.values())).data.test_per_class
    heads = [f"{name} ({size})" for name, size in zip(classes, sizes, strict=True)]
    columns = (
        Column("Row", "left"), *map(Column, heads), Column("Balanced"), Column("Macro F1"),
        Column("Worst class", "left"), Column("Mostly taken for", "left"),
    )  # fmt: skip
    note = (
        "Recall in %, with the number of test images of each class in its head; balanced is the mean recall.  The "
        "worst class has the lowest mean recall over seeds; what it is taken for is counted over all seeds together."
    )
    return f"{table(columns, [_by_class(row, classes) for row in answered])}\n\n{note}"


def ensembles_section(rows: Sequence[Looked]) -> str:
    """The mean softmax over a row's seeds against its mean single seed."""
    listed = []
    for row in rows:
        members = together(row)
        if len(members) < 2:
            continue
        labels = members[0].labels
        mean = np.mean([calibration.probabilities(each.logits) for each in members], axis=0)  # (n, C)
        right = int((mean.argmax(axis=1) == labels).sum())
        single = float(np.mean([each.correct.mean() for each in members]))
        interval = metrics.wilson_interval(right, len(labels))
        listed.append(
            (
                row.name,
                str(len(members)),
                percent(single),
                percent(right / len(labels)),
                f"{percent(interval.low)} to {percent(interval.high)}",
                points(right / len(labels) - single),
                f"{np.mean([calibration.nll(each.logits, labels) for each in members]):.3f}",
                f"{metrics.negative_log_likelihood(mean, labels):.3f}",
            )
        )
    columns = (
        Column("Row", "left"), Column("Seeds"), Column("Mean single seed"), Column("Ensemble"),
        Column("Wilson 95 %"), Column("Gain"), Column("NLL, single"), Column("NLL, ensemble"),
    )  # fmt: skip
    note = (
        "An ensemble answers with the mean of its seeds' softmax.  It costs as many networks as it has seeds, and one "
        "row has one ensemble: its interval holds the chance of the images only."
    )
    return f"{table(columns, listed)}\n\n{note}" if listed else ""


def images_section(found: Material) -> str:
    """McNemar's exact test at the first common seed, and the two-level bootstrap of the difference over all of them."""
    reference = found.reference
    paired = [(row, pairs(row, reference)) for row in found.rows]
    paired = [(row, both) for row, both in paired if both]
    if reference is None or not paired:
        return ""
    tests = [stats.mcnemar(both[0][0].correct, both[0][1].correct) for _, both in paired]
    adjusted = stats.holm([test.p for test in tests])
    rows = []
    for (row, both), test, corrected in zip(paired, tests, adjusted, strict=True):
        differences = np.array([one.correct.astype(int) - other.correct for one, other in both])  # (S, N)
        level = stats.two_level_bootstrap(differences)
        rows.append(
            (
                row.name,
                str(test.only_first),
                str(test.only_second),
                p_value(test.p),
                p_value(corrected),
                str(level.seeds),
                points(level.mean),
                f"{points(level.interval.low)} to {points(level.interval.high)}",
            )
        )
    columns = (
        Column("Row", "left"), Column("Only it right"), Column(f"Only {reference.name} right"), Column("p"),
        Column("p (Holm)"), Column("Seeds"), Column("Difference"), Column("95 % interval"),
    )  # fmt: skip
    note = (
        f"Each row against {reference.name} on the same {_images(reference)} test "
        "images.  Counts and p (McNemar, exact, two-sided; Holm over this table) speak of the two networks of the "
        "first common seed.  The difference is over all common seeds; its interval draws seeds and images again "
        "(two-level bootstrap), so it is the one that speaks of the methods."
        + ("  With one seed it draws the images only." if any(len(both) == 1 for _, both in paired) else "")
    )
    return f"{table(columns, rows)}\n\n{note}"


def _images(row: Looked) -> int:
    return len(next(iter(row.answers.values())).labels)


def _calibrated(row: Looked) -> tuple[str, ...]:
    found = list(row.answers.values())
    confidence = [calibration.probabilities(each.logits).max(axis=1).mean() for each in found]
    plain = (
        percent(float(np.mean([each.correct.mean() for each in found]))),
        percent(float(np.mean(confidence))),
        f"{np.mean([calibration.nll(each.logits, each.labels) for each in found]):.3f}",
        percent(float(np.mean([calibration.ece(each.logits, each.labels) for each in found]))),
    )
    fits = [
        (each, calibration.fit_temperature(each.val_logits, each.val_labels))
        for each in found
        if each.val_logits is not None and each.val_labels is not None
    ]
    if not fits:
        return (*plain, "", "", "")
    return (
        *plain,
        f"{np.mean([t for _, t in fits]):.2f}",
        f"{np.mean([calibration.nll(each.logits, each.labels, t) for each, t in fits]):.3f}",
        percent(float(np.mean([calibration.ece(each.logits, each.labels, t) for each, t in fits]))),
    )


def _by_class(row: Looked, classes: Sequence[str]) -> tuple[str, ...]:
    confusions = [
        metrics.confusion_matrix(each.labels, each.predicted, len(classes)) for _, each in sorted(row.answers.items())
    ]
    recalls = np.mean([metrics.recalls(each) for each in confusions], axis=0)  # (C,), NaN for an absent class
    worst = int(np.nanargmin(recalls))
    mistaken = np.sum(confusions, axis=0)[worst].copy()  # (C,)
    mistaken[worst] = 0
    taken = f"{classes[int(mistaken.argmax())]} ({mistaken.max()} of {mistaken.sum()} errors)" if mistaken.any() else ""
    return (
        row.name,
        *(MISSING if np.isnan(value) else percent(float(value)) for value in recalls),
        percent(float(np.mean([metrics.balanced_accuracy(each) for each in confusions]))),
        percent(float(np.mean([metrics.macro_f1(each) for each in confusions]))),
        f"{classes[worst]} {percent(float(recalls[worst]))}",
        taken or MISSING,
    )


def _unread(row: Looked) -> str:
    if not row.unread:
        return ""
    return f"seed{'s' * (len(row.unread) > 1)} {spans(row.unread)}; `python -m bench.audit` says which file"
