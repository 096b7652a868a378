"""Fair timing: two sides take turns, so that a busy moment of the machine falls on both.

A side is a function that computes for its share of time and returns the seconds of each call. Only one side computes
at a time; both stay warm between their turns.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

Side = Callable[[], list[float]]
Rounds = list[list[float]]
PAUSE = 0.4  # seconds between turns: worker threads of the last side spin for a while before they sleep


class SideError(RuntimeError):
    """A side that cannot go on; the others can."""


def interleaved(sides: Mapping[str, Side], rounds: int) -> tuple[dict[str, Rounds], dict[str, str]]:
    """Let the sides take turns: first, second, ..., first, second, ...

    Args:
        sides: name -> side. One that raises ``SideError`` is left out from then on, with all its times.
        rounds: how many turns each has.

    Returns:
        The times of each side, round by round, and why sides were left out.

    >>> interleaved({'a': lambda: [1.0], 'b': lambda: [2.0, 3.0]}, 2)
    ({'a': [[1.0], [1.0]], 'b': [[2.0, 3.0], [2.0, 3.0]]}, {})
    """
    times: dict[str, Rounds] = {name: [] for name in sides}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for name, side in sides.items():
            if name in failed:
                continue
            time.sleep(PAUSE)
            try:
                times[name].append(side())
            except SideError as error:
                failed[name] = str(error)
                del times[name]
    return times, failed


def summarize(rounds: Rounds) -> dict[str, float]:
    """Summarize times in milliseconds: median, minimum, interquartile range, and how many there were."""
    times = np.asarray([time for one in rounds for time in one]) * 1e3
    low, median, high = np.percentile(times, (25, 50, 75))
    return {
        'median': float(median),
        'min': float(times.min()),
        'iqr': float(high - low),
        'count': len(times),
    }


def ratio(ours: Rounds, peer: Rounds) -> dict[str, Any]:
    """Divide the peer's time by ours: above 1, ours is faster.

    Returns:
        The ratio of the medians of all times, and the smallest and largest ratio of two medians of one round.

    >>> ratio([[1.0], [2.0]], [[2.0], [2.0]])
    {'ratio': 1.333..., 'ratio_range': [1.0, 2.0]}
    """
    by_round = [statistics.median(b) / statistics.median(a) for a, b in zip(ours, peer, strict=True)]
    whole = statistics.median(itertools.chain(*peer)) / statistics.median(itertools.chain(*ours))
    return {'ratio': whole, 'ratio_range': [min(by_round), max(by_round)]}


def timed(call: Callable[[], Any], seconds: float, least: int = 2) -> list[float]:
    """Time calls, each until its result is there, for so many seconds."""
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < least or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - before)
    return times


def warm(call: Callable[[], Any], calls: int = 2) -> None:
    """Run a call without timing it: it compiles, or its memory is touched for the first time."""
    for _ in range(calls):
        jax.block_until_ready(call())


def parameters_of(trees: Sequence[Any]) -> list[int]:
    """Count the numbers in each tree."""
    return [sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree)) for tree in trees]
