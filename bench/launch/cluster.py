"""How do cells run as Ray tasks, on this machine or on the cluster that RAY_ADDRESS names?

Files stay the interface: a node reads and writes the same folders, so a cell whose node died goes on elsewhere from its
checkpoint and ends in the same record.  Nothing is shipped; a node that sees other files is refused (bench/launch/
sight.py).  Nodes, workers and their deaths are Ray's business, the number of tries is ours.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import UserError
from bench.launch.gpus import share
from bench.launch.job import Job, Outcome, Progress, give_up, run_job
from bench.launch.ray_link import connected, last_line
from bench.launch.sight import View, refusal, view

POLL_SECONDS = 0.5
WORKER_DEATHS, NODE_DEATHS = 2, 5  # a cell that takes its worker or its node along this often is given up
LOCK_SECONDS = 120.0  # a dead node's lock is free after its lease on the file server (NFSv4: 90 s)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refused:
    """A node that does not see what this machine sees."""

    node: str
    reason: str


def launch(jobs: Sequence[Job], workers: int, progress: Progress) -> Iterator[Outcome]:
    """Run the jobs as Ray tasks, at most `workers` at once, and yield their outcomes as they end.

    Closing the iterator, or an interrupt, ends the tasks under way: the next run goes on from their checkpoints.
    Raises UserError where Ray is missing, the cluster does not answer, or a node does not see this machine's files.
    """
    if not jobs:
        return
    jobs = [_absolute(job) for job in jobs]
    with connected(workers) as ray, view(jobs) as seen:
        fit = _fit_nodes(ray, seen, _resource_name(jobs[0]))
        here = ray.get_runtime_context().get_node_id()
        mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=_on(ray, here)).remote()
        task = ray.remote(_work).options(max_retries=0, num_cpus=1, num_gpus=_gpu_share(ray, jobs[0], workers))
        shared = ray.put((seen, fit))
        yield from _drain(ray, jobs, workers, progress, task, shared, mailbox)


def _drain(
    ray: Any, jobs: Sequence[Job], workers: int, progress: Progress, task: Any, shared: Any, mailbox: Any
) -> Iterator[Outcome]:
    waiting, deaths = deque(jobs), Counter[tuple[str, str]]()
    flying: dict[Any, Job] = {}
    try:
        while waiting or flying:
            while waiting and len(flying) < workers:
                job = waiting.popleft()
                again = any(deaths[kind, job.cell.name] for kind in _LIMITS)
                flying[task.remote(job, shared, mailbox, LOCK_SECONDS if again else 0.0)] = job
            finished, _ = ray.wait(list(flying), timeout=POLL_SECONDS)
            _pass_on(ray.get(mailbox.take.remote()), progress)
            for reference in finished:
                job = flying.pop(reference)
                outcome = _outcome(ray, reference, job, deaths)
                if outcome is None:
                    waiting.appendleft(job)
                else:
                    yield outcome
    finally:
        for reference in flying:
            ray.cancel(reference, force=True)


_LIMITS = {"worker": WORKER_DEATHS, "node": NODE_DEATHS}


def _outcome(ray: Any, reference: Any, job: Job, deaths: Counter[tuple[str, str]]) -> Outcome | None:
    """How a task ended; None where it is to be tried again, because its worker or its node died."""
    name = job.cell.name
    try:
        answer = ray.get(reference)
    except ray.exceptions.NodeDiedError:
        kind = "node"
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        kind = "worker"
    except UserError as error:  # the disk takes no more; Ray wraps what the task raised
        raise getattr(error, "cause", error) from None
    except ray.exceptions.RayError as error:  # what run_job does not catch either: no cell of this kind will do better
        return give_up(job, f"Ray: {last_line(error)}")
    else:
        if isinstance(answer, Refused):
            raise UserError(f"node {answer.node} {answer.reason}")
        return answer
    deaths[kind, name] += 1
    if deaths[kind, name] >= _LIMITS[kind]:
        return give_up(job, f"its {kind} died {deaths[kind, name]} times (killed, lost, or out of memory)")
    log.warning("%s: its %s died; it goes on from its checkpoint", name, kind)
    return None


class Mailbox:
    """What the workers have told since the owner looked last; an actor beside the owner."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int] | str] = []

    def tell(self, item: tuple[str, int, int] | str) -> None:
        self.told.append(item)

    def take(self) -> list[tuple[str, int, int] | str]:
        told, self.told = self.told, []
        return told


def _pass_on(told: list[tuple[str, int, int] | str], progress: Progress) -> None:
    for item in told:
        if isinstance(item, str):
            log.warning("%s", item)
        else:
            progress(*item)


class _Relay(logging.Handler):
    """A worker's warnings, to the owner's terminal."""

    def __init__(self, mailbox: Any) -> None:
        super().__init__(logging.WARNING)
        self.mailbox = mailbox

    def emit(self, record: logging.LogRecord) -> None:
        self.mailbox.tell.remote(record.getMessage())


def _work(job: Job, shared: tuple[View, frozenset[str]], mailbox: Any, patience: float) -> Outcome | Refused:
    """The task: one cell on some node.  A node that joined after the start is looked at first."""
    import ray

    seen, fit = shared
    context = ray.get_runtime_context()
    if context.get_node_id() not in fit and (reason := refusal(seen)) is not None:
        return Refused(ray.util.get_node_ip_address(), reason)
    relay, logger = _Relay(mailbox), logging.getLogger("bench")
    logger.addHandler(relay)
    try:
        return run_job(job, lambda *told: mailbox.tell.remote(told), patience)
    finally:
        logger.removeHandler(relay)


def _fit_nodes(ray: Any, seen: View, resource: str) -> frozenset[str]:
    """The nodes that can run cells, each asked whether it sees what this machine sees.  Raises UserError for one that
    does not."""

    def look(seen: bytes) -> str | None:  # sent by value, so that it runs where the project is not
        import pickle

        try:
            from bench.launch.sight import refusal
        except ImportError as error:
            return f"cannot import the project ({error}): install it there, at the same path"
        return refusal(pickle.loads(seen))

    import pickle

    asked = {}
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get(resource, 0) > 0:
            task = ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=_on(ray, node["NodeID"]))
            asked[node["NodeID"]] = node["NodeManagerAddress"], task.remote(pickle.dumps(seen))
    fit = set()
    for identity, (address, answer) in asked.items():
        try:
            reason = ray.get(answer)
        except ray.exceptions.RayError as error:
            log.warning("node %s gave no answer and is left to Ray (%s)", address, last_line(error))
            continue
        if reason is not None:
            raise UserError(f"node {address} {reason}")
        fit.add(identity)
    return frozenset(fit)


def _on(ray: Any, node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id=node, soft=False)


def _resource_name(job: Job) -> str:
    return "GPU" if job.device == "cuda" else "CPU"


def _gpu_share(ray: Any, job: Job, workers: int) -> float:
    return share(workers, max(1, int(ray.cluster_resources().get("GPU", 0)))) if job.device == "cuda" else 0.0


def _absolute(job: Job) -> Job:
    """The job with paths that mean the same in any working directory."""
    root = job.source.root
    return replace(
        job,
        source=replace(job.source, root=root.absolute() if root else None),
        results=job.results.absolute(),
        runs=job.runs.absolute(),
        weights=job.weights.absolute() if job.weights else None,
    )
