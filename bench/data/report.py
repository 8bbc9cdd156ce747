"""How is a verification shown?  As JSON for programs and as text for people."""

from __future__ import annotations

from typing import Any

from bench.data.catalog import info, title
from bench.data.notes import printable
from bench.data.verify import Report, mode_histogram, size_histogram

_MOST_SIZES = 12


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values.  `digest` is null where an image cannot be used or pixels were not decoded."""
    listing, inspection, index = report.listing, report.inspection, report.index
    samples = (*listing.train, *listing.test) if listing is not None else ()
    return {
        "dataset": report.dataset,
        "layout": listing.layout if listing is not None else None,
        "root": str(report.root),
        "classes": list(listing.classes) if listing is not None else list(info(report.dataset).classes),
        "digest": index.digest if index is not None and report.sound else None,
        "splits": {
            split: {
                "images": sum(counts.values()),
                "per_class": counts,
                "official_per_class": _official(report.dataset, split),
            }
            for split, counts in (report.splits or {"train": {}, "test": {}}).items()
        },
        "excluded": report.excluded,
        "sizes": size_histogram(inspection) if inspection is not None else {},
        "modes": mode_histogram(inspection) if inspection is not None else {},
        "near_duplicates": [
            {
                "test": samples[pair.test].path,
                "train": samples[pair.train].path,
                "mirrored": pair.mirrored,
                "correlation": round(pair.correlation, 4),
            }
            for pair in report.near
        ],
        "figures": [
            {
                "table": row.table,
                "label": row.label,
                "figure": row.figure,
                "n": row.n,
                "counts": list(row.counts),
                "verdict": row.verdict,
            }
            for row in report.figures
        ],
        "warnings": [finding.message for finding in report.findings if finding.severity == "warning"],
        "errors": [finding.message for finding in report.findings if finding.severity == "error"],
    }


def _official(dataset: str, split: str) -> dict[str, int] | None:
    facts = info(dataset)
    counts = facts.train if split == "train" else facts.test
    return dict(zip(facts.classes, counts, strict=True)) if counts else None


def as_text(report: Report) -> str:
    """The report for a terminal."""
    lines = [f"{title(report.dataset)}   {printable(report.root)}"]
    if report.listing is not None:
        lines += [f"layout   {report.listing.layout}", *_counts(report), *_excluded(report), *_images(report)]
    if report.figures:
        lines += ["", f"the paper's figures at n = {report.figures[0].n:,} test images:"]
        lines += [
            f"  {row.figure:>6}  {row.verdict:<30} table {row.table}, {row.label}{_count(row.counts)}"
            for row in report.figures
        ]
    for severity in ("warning", "error"):
        lines += [f"{severity}: {finding.message}" for finding in report.findings if finding.severity == severity]
    errors = sum(finding.severity == "error" for finding in report.findings)
    lines += [
        "",
        f"{errors} errors, {len(report.findings) - errors} warnings: "
        f"{'readable' if report.sound else 'must not be used as it is'}",
    ]
    return "\n".join(lines)


def _count(counts: tuple[int, ...]) -> str:
    return f" ({', '.join(f'{count:,}' for count in counts)} correct)" if counts else ""


def _counts(report: Report) -> list[str]:
    width = max(len(name) for name in info(report.dataset).classes)
    lines = ["", f"{'class':<{width}}  {'train':>9} {'official':>9}  {'test':>7} {'official':>9}"]
    official = {split: _official(report.dataset, split) for split in ("train", "test")}
    for name in report.splits["train"]:
        cells = [(report.splits[split][name], (official[split] or {}).get(name)) for split in ("train", "test")]
        lines.append(_row(name, width, cells))
    totals = [
        (sum(report.splits[split].values()), sum((official[split] or {}).values()) or None)
        for split in ("train", "test")
    ]
    return [*lines, _row("total", width, totals), ""]


def _row(name: str, width: int, cells: list[tuple[int, int | None]]) -> str:
    (train, train_official), (test, test_official) = cells
    shown = [f"{count:,}" if count is not None else "-" for count in (train, train_official, test, test_official)]
    return f"{name:<{width}}  {shown[0]:>9} {shown[1]:>9}  {shown[2]:>7} {shown[3]:>9}"


def _excluded(report: Report) -> list[str]:
    if not report.excluded:
        return []
    return ["excluded " + ", ".join(f"{reason} {count:,}" for reason, count in report.excluded.items())]


def _images(report: Report) -> list[str]:
    if report.inspection is None:
        return []
    sizes = size_histogram(report.inspection)
    shown = ", ".join(f"{name} {count:,}" for name, count in list(sizes.items())[:_MOST_SIZES])
    more = f" and {len(sizes) - _MOST_SIZES:,} other sizes" if len(sizes) > _MOST_SIZES else ""
    modes = ", ".join(f"{name} {count:,}" for name, count in mode_histogram(report.inspection).items())
    digest = (
        report.index.digest
        if report.index is not None and report.sound
        else "none (pixels not decoded, or an error stands)"
    )
    return [f"sizes    {shown}{more}", f"modes    {modes}", f"digest   {digest}"]
