"""How are the heads of trained networks measured for the lab?  Writes results/heads; needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from baselines.dan import DanMethod
from bench.figures.networks import Network, Networks
from bench.figures.rows import View, shown
from bench.heads import lab
from bench.heads.lab import Entry, Heads
from bench.heads.measure import correct, look, partition, silenced, without
from bench.heads.regions import REGIONS


def measured(view: View, networks: Networks) -> Iterator[Path]:
    """Measure every network of the lab's tables that is at hand; what is known of a result already is left alone."""
    for found in shown(view, "heads"):
        for row in found.rows:
            known = {cell: lab.current(view.results, cell, record) for cell, record in row.cells.items()}
            if all(known.values()):
                continue
            for network in networks.of(row, view.suite.name):
                if known[network.cell] is None:
                    lab.save(view.results, entry_of(network))
                    yield lab.path_of(view.results, network.cell)


def entry_of(network: Network) -> Entry:
    """What the lab keeps of a network: as trained, and before its first step."""
    untrained = network.untrained()
    assert isinstance(network.method, DanMethod)
    seen = look(network.method.model, network.feed)
    return Entry(
        cell=network.cell,
        key=network.record.key,
        record_digest=network.record.digest,
        weights_sha256=network.weights_sha256,
        heads=seen.maps.shape[1],
        map_size=(seen.maps.shape[2], seen.maps.shape[3]),
        image_size=network.images.shape[1],
        n=len(network.labels),
        regions=REGIONS if network.masks is not None else (),
        trained=heads_of(network.method, network),
        untrained=heads_of(untrained, network) if isinstance(untrained, DanMethod) else None,
    )


def heads_of(method: DanMethod, network: Network) -> Heads:
    """The measures of one network's heads on the images of `network`."""
    model, labels = method.model, network.labels
    seen = look(model, network.feed)
    several = seen.vectors.shape[1] > 1
    heads = range(seen.vectors.shape[1]) if several else ()
    return lab.described(
        seen.maps,
        network.masks,
        correct(model, seen.vectors, labels),
        tuple(correct(model, without(seen.vectors, head), labels) for head in heads),
        tuple(correct(model, silenced(seen.vectors, head), labels) for head in heads),
        partition(model, seen.vectors) if several else None,
    )
