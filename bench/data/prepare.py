"""How do raw photos become aligned faces?  Resumable, in a folder that is renamed when all is done."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.atomic import write_bytes, write_text
from bench.data.align.chain import DOUBTFUL, STEPS, SURE, align
from bench.data.align.detector import Detector, Weights, load_weights
from bench.data.align.jobs import Job, Work, plan
from bench.data.align.similarity import TEMPLATE, TEMPLATE_SIZE
from bench.data.decode import DecodeFault, load
from bench.data.notes import first, printable
from bench.data.parallel import over_chunks
from bench.errors import UserError

MANIFEST = "alignment.jsonl"
_ROWS = ".rows"
_PLAN = ".plan"
_FORMAT = 1
_BYTES_PER_PIXEL = 1.6
"""Of a photo as PNG, generously; JPEG needs less."""


@dataclass(frozen=True)
class _Task:
    """What a worker needs besides its jobs."""

    root: Path
    part: Path
    size: int
    detector: Path | None


def prepare(
    name: str,
    root: Path,
    out: Path | None = None,
    size: int = 224,
    detector: Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> str:
    """Align (or crop) every image of dataset `name` in `root` into the folder `out`; returns a summary for people.

    No image is dropped: where no face is found the whole image is kept, and the manifest says so.  The manifest (JSON
    lines) names images by digests of their pixels, before and after, never by file name.  A run that was stopped goes
    on where it was. Raises UserError for broken images (all of them at once), a missing detector, or an `out` that
    holds something else.
    """
    work = plan(name, root)
    aligned = any(job.align for job in work.jobs)
    weights = load_weights(detector) if aligned else None
    if weights is not None:
        Detector(weights)  # fail now, in one line, rather than in every worker
    header = _header(name, size, weights)
    mark = _fingerprint(work, header)
    out = out if out is not None else root.resolve().with_name(f"{root.resolve().name}-aligned")
    if _is_done(out, mark):
        return f"{printable(out)}: done already, nothing to do\n{_summary(out)}"
    part = out.with_name(f".{out.name}.part")
    try:
        _open_part(part, mark, work, size)
        task = _Task(work.root, part, size, detector)
        faults: list[str] = []
        for _, messages in over_chunks(partial(_run_chunk, task), work.jobs, f"preparing {name}", workers, progress):
            faults += messages
        if faults:
            raise UserError(
                f"{len(faults):,} images cannot be read: {first(sorted(faults))}; mend or remove them, then run again"
            )
        for path, content in work.files.items():
            write_bytes(part / path, content)
        _write_manifest(part, header)
        part.rename(out)
    except OSError as problem:
        raise UserError(
            f"{printable(out)}: cannot be written ({problem.strerror or problem}); what is done is kept for the next "
            "run"
        ) from None
    return f"{printable(out)}: {len(work.jobs):,} images at {size} px\n{_summary(out)}"


def _header(name: str, size: int, weights: Weights | None) -> dict[str, Any]:
    """What decides the result besides the photos: the manifest's first line."""
    how: dict[str, Any] = {"crop": "the release's face box"}
    if weights is not None:
        how = {
            "detector": weights.source,
            "detector_sha256": weights.sha256,
            "thresholds": [SURE, DOUBTFUL],
            "steps": list(STEPS),
            "template": TEMPLATE.tolist(),
            "template_size": TEMPLATE_SIZE,
        }
    return {"format": _FORMAT, "dataset": name, "size": size, **how}


def _fingerprint(work: Work, header: dict[str, Any]) -> str:
    """Changes with the settings, the list of images, and the size or time of any."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for job in work.jobs:
        facts = (work.root / job.sample.path).stat()
        digest.update(repr((job, facts.st_size, facts.st_mtime_ns)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _is_done(out: Path, mark: str) -> bool:
    """Whether `out` is the finished result of this very work.  Raises UserError where it is something else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if (out / _PLAN).is_file() and (out / _PLAN).read_text() == mark:
        return True
    raise UserError(
        f"{printable(out)}: exists and is not the result of this command on these images; give another --out or remove "
        "it"
    )


def _open_part(part: Path, mark: str, work: Work, size: int) -> None:
    """The folder to work in: the one of a stopped run of the same work, else a fresh one."""
    if part.exists():
        if (part / _PLAN).is_file() and (part / _PLAN).read_text() == mark:
            done = sum(1 for _ in (part / _ROWS).glob("*.jsonl"))
            print(f"going on where an earlier run stopped ({done:,} chunks of images are done)", file=sys.stderr)
            return
        print(f"{printable(part.name)}: left by a run on other images or settings; starting afresh", file=sys.stderr)
        shutil.rmtree(part)
    (part / _ROWS).mkdir(parents=True)
    need, free = int(len(work.jobs) * size * size * _BYTES_PER_PIXEL), shutil.disk_usage(part).free
    if need > free:
        shutil.rmtree(part)
        raise UserError(
            f"{printable(part.parent)}: about {need / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free; choose "
            "another --out"
        )
    write_text(part / _PLAN, mark)


def _run_chunk(task: _Task, start: int, jobs: Sequence[Job]) -> list[str]:
    """Prepare a few images (in a worker process); returns what is broken.  The chunk's rows are its mark of
    completion."""
    done = task.part / _ROWS / f"{start:08d}.jsonl"
    if done.exists():
        return []
    rows: list[str] = []
    faults: list[str] = []
    for job in jobs:
        try:
            rows.append(json.dumps(_run(task, job), sort_keys=True))
        except DecodeFault as fault:
            faults.append(f"{job.sample.path}: {fault}")
    if not faults:
        write_text(done, "".join(f"{row}\n" for row in rows))
    return faults


def _run(task: _Task, job: Job) -> dict[str, Any]:
    image, _ = load(task.root, job.sample)
    row: dict[str, Any] = {"source": _digest(image)}
    if job.align:
        found = align(image, _detector(task.detector), task.size)
        result, face = found.image, found.face
        row |= {"step": found.step, "score": None, "box": None, "landmarks": None}
        if face is not None:
            row |= {
                "score": round(face.score, 4),
                "box": [round(value, 3) for value in face.box],
                "landmarks": face.landmarks.round(3).tolist(),
            }
    else:
        result = image.resize((task.size, task.size), Image.Resampling.BILINEAR)
        row |= {"step": "box" if job.sample.box is not None else "whole image"}
    buffer = io.BytesIO()
    if job.target.lower().endswith((".jpg", ".jpeg")):
        result.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        result.save(buffer, "PNG")
    target = task.part / job.target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(
        buffer.getvalue()
    )  # the chunk's rows are written after, and atomically: half a file is written again
    return row | {"result": _digest(result)}


@lru_cache(maxsize=1)
def _detector(path: Path | None) -> Detector:
    return Detector(load_weights(path))


def _digest(image: Image.Image) -> str:
    """How results name an image: the first 16 digits of the SHA-256 of its RGB pixels."""
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()[:16]


def _write_manifest(part: Path, header: dict[str, Any]) -> None:
    """One file, sorted by content, in place of the rows per chunk."""
    rows = sorted(line for path in (part / _ROWS).glob("*.jsonl") for line in path.read_text().splitlines())
    write_text(part / MANIFEST, "".join(f"{line}\n" for line in [json.dumps(header, sort_keys=True), *rows]))
    shutil.rmtree(part / _ROWS)


def _summary(out: Path) -> str:
    """How the faces were found, with counts and shares."""
    rows = [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()[1:]]
    counts = Counter(row["step"] for row in rows)
    return "\n".join(f"  {step:<12} {count:>9,}  {count / len(rows):.2%}" for step, count in counts.most_common())
