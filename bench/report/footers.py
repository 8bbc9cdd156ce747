"""Under which conditions was a table made?  Data, protocol, budget, weights and machines in words, from the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.data.catalog import TWINS, info, title
from bench.markdown import count, described, half_width, percent, plural, spans
from bench.metrics import wilson_interval
from bench.record import Record
from bench.report.table_rows import Conditions, Trained
from bench.spec import Suite
from bench.stats import detectable_between_splits
from bench.switches import Scalar

PROTOCOLS = {
    "paper": "trained on the official training split, nothing held out; the weights of the last epoch are reported",
    "honest": "a validation split is held out of the training split, and the epoch that is best on it is reported; "
    "test labels are read at the end only",
}
NUMERIC = {
    "faithful": "32-bit floats, deterministic algorithms",
    "fast": "bfloat16 autocast, channels last",
}
COLUMNS = (
    "Accuracies are in %, differences in points.  ± is the half-width of the 95 % t-interval over seeds; one seed has "
    "none.",
    "Balanced is the mean recall over the classes.  Oracle is the epoch that is best on the test split itself, which "
    "the paper reports and nobody can know beforehand; gap is oracle less the reported epoch.  Seeds are finished of "
    "planned.",
)


def status(dataset: str, main: Conditions | None, figures: bool) -> str:
    """The line below the heading: a rehearsal or not, on which data, and whether the paper's `figures` compare."""
    if main is None:
        return f"No cell of this table has finished on {title(dataset)} yet."
    orientation = ": the paper's figures are for orientation and do not compare" if figures else ""
    rehearsal = "**Rehearsal** (quick budget)" if main.budget == "quick" else "Full budget"
    if dataset in TWINS:
        stand_in = f"on rendered faces that stand in for {info(dataset).title}"
        return f"{rehearsal} {stand_in}{orientation}."
    if not info(dataset).licensed:
        return f"{rehearsal} on open photos that the paper does not use: {title(dataset)}."
    if main.budget == "quick":
        return f"{rehearsal} on {title(dataset)}{orientation}."
    beside = ", beside the paper's figures" if figures else ""
    return f"{rehearsal} on {title(dataset)}, {main.protocol} protocol{beside}."


def footers(dataset: str, suite: Suite, main: Conditions | None, rows: Sequence[Trained]) -> tuple[str, ...]:
    """What every number of the table shares; a marked row says what it does not share."""
    if main is None:
        return ()
    records = [record for row in rows for record in row.records.values()]
    typical = next(record for record in records if record.data.digest == main.data_digest)
    seeds = suite.seeds.get(main.budget, ())
    return (
        f"Data: {title(dataset)}, digest `{main.data_digest[:12]}`; {_sizes(typical)}; "
        f"{count(main.n_test)} of {count(main.n_expected)} test images scored.",
        f"Floor: always answering the most frequent class is {_floor(typical)}.",
        f"Resolution: {_resolution(typical, main)}.",
        f"Protocol `{main.protocol}`: {PROTOCOLS[main.protocol]}.",
        f"Budget `{main.budget}`: {budget(main)}.",
        f"Seeds: {spans(seeds)} ({plural(len(seeds), 'seed')} planned).",
        f"Weights: {weights(main)}.",
        f"Arithmetic `{main.numeric}`: {NUMERIC[main.numeric]}.",
        f"Computed with: {computed_with(records)}.",
        *_processors(rows),
        *COLUMNS,
    )


def budget(main: Conditions) -> str:
    """The training recipe in words."""
    recipe = dict(main.recipe)
    limits = [
        f"at most {count(int(size))} {split} images"
        for split, size in (("training", recipe.get("train_limit")), ("test", recipe.get("test_limit")))
        if isinstance(size, int)
    ]
    parts = [
        *(["a small-scale rehearsal"] if main.budget == "quick" else []),
        f"{recipe['image_size']}-pixel images",
        f"{recipe['epochs']} epochs",
        f"batch {recipe['batch_size']}",
        _optimizer(recipe),
        _schedule(recipe),
        f"{'balanced sampler' if recipe['sampler'] == 'balanced' else 'plain shuffle'}",
        f"augmentation `{recipe['augment']}`",
        *limits,
    ]
    return ", ".join(parts)


def weights(main: Conditions) -> str:
    """What the trunk starts from."""
    if main.weights_sha256 is None:
        return "random initialisation" if main.weights == "none" else f"{main.weights}, no digest recorded"
    return f"{main.weights}, SHA-256 `{main.weights_sha256[:12]}`"


def computed_with(records: Iterable[Record]) -> str:
    """Devices, package versions and commits (`+`: with changes that were not committed) of the records, each once."""
    listed = [record.provenance for record in records]
    devices = sorted({str(found["device"]) for found in listed if "device" in found})
    machines = sorted({str(found["machine"]) for found in listed if "machine" in found})
    packages = sorted({described(found.get("packages", {})) for found in listed})
    commits = sorted(
        {f"{str(found['git'])[:7]}{'+' if found.get('dirty') else ''}" for found in listed if found.get("git")}
    )
    code = f"code at {', '.join(commits)}" if commits else ""
    known = [" and ".join(devices), " and ".join(machines), " or ".join(packages), code]
    return "; ".join(part for part in known if part) or "unrecorded machines and packages"


def _processors(rows: Sequence[Trained]) -> tuple[str, ...]:
    """A warning where the rows were computed on more than one kind of processor; which rows mix them within."""
    kinds = [{_kind(record) for record in row.records.values()} for row in rows]
    if len(set().union(*kinds)) < 2:
        return ()
    mixed = sorted({row.row.label or row.row.method for row, found in zip(rows, kinds, strict=True) if len(found) > 1})
    within = f" (within one row: {', '.join(mixed)})" if mixed else ""
    return (
        f"More than one kind of processor{within}: the bits of a cell hold on one kind only, so a difference paired by "
        "seed has the processors' in it too.",
    )


def _kind(record: Record) -> tuple[str, str]:
    """The device and the processor of a record; how many cores there are changes no bit."""
    found = record.provenance
    return str(found.get("device")), str(found.get("machine")).rpartition(", ")[0]


def _sizes(record: Record) -> str:
    data = record.data
    held_out = f", {count(data.n_val)} validation images" if data.n_val else ""
    return f"{count(data.n_train)} training images{held_out}"


def _floor(record: Record) -> str:
    """The accuracies of a method that never looks at the image."""
    sizes = [size for size in record.data.test_per_class if size]
    return f"{percent(max(sizes) / sum(sizes))} accuracy, {percent(1 / len(sizes))} balanced"


def _resolution(record: Record, main: Conditions) -> str:
    """What one network's accuracy on so many images can tell."""
    score = record.scores["last"]
    interval = wilson_interval(score.correct, score.n)
    base = min(max(score.accuracy, 1 / score.n), 1 - 1 / score.n)
    gain = detectable_between_splits(main.n_test, base)
    shown = f"only gains from {half_width(gain)} points on show" if gain is not None else "no gain would show"
    return (
        f"with {count(main.n_test)} test images an accuracy of {percent(score.accuracy)} has the Wilson interval "
        f"{percent(interval.low)} to {percent(interval.high)}, and between two single networks {shown} with a power of "
        "80 % (independent images, 5 % two-sided; the same images can show less)"
    )


def _optimizer(recipe: dict[str, Scalar]) -> str:
    name = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[str(recipe["optimizer"])]
    momentum = f", momentum {recipe['momentum']:g}" if recipe["optimizer"] == "sgd" else ""
    sharpness = f", SAM rho {recipe['sam_rho']:g}" if recipe.get("sam_rho") else ""
    return f"{name} {recipe['lr']:g}{momentum}, weight decay {recipe['weight_decay']:g}{sharpness}"


def _schedule(recipe: dict[str, Scalar]) -> str:
    words = {
        "step": f"times {recipe['gamma']} every {recipe['step_size']} epochs",
        "exponential": f"times {recipe['gamma']} an epoch",
        "cosine": "cosine to zero",
        "constant": "constant rate",
    }
    return words[str(recipe["scheduler"])]
