"""One run of one suite: its settings, its peer, and how a row is measured."""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jaxgan.bench.peer import Peer
from jaxgan.bench.timing import Side, SideError, interleaved, ratio, summarize, timed, warm

Row = dict[str, Any]


class Session(NamedTuple):
    """What the rows of a suite share."""

    quick: bool
    rounds: int
    seconds: float  # of a side in a round
    only: tuple[str, ...]  # cases to measure; none: all
    peer: Peer | None
    say: Callable[[str], None]  # for what a reader must know besides the table
    data: str | None = None  # images for suites that need some

    def wants(self, name: str, quickly: bool = True) -> bool:
        """Say whether a case is measured: one that was asked for, or, if none was, each one that ``quick`` does not leave out."""
        return name in self.only if self.only else quickly or not self.quick

    def tell_left_out(self, names: Sequence[str]) -> None:
        """Say which cases ``quick`` leaves out."""
        if self.quick and not self.only and names:
            self.say(f'{", ".join(names)}: with --quick only by name, as --only {names[0]}')


def open_peer(python: str | None, say: Callable[[str], None]) -> Peer | None:
    """Start the peer, or say once, in one line, why there is none."""
    chosen = python or (sys.executable if importlib.util.find_spec('torch') else None)
    if chosen is None:
        say('no ratio to PyTorch: this Python has none; name one that does by --torch PYTHON')
        return None
    try:
        return Peer(chosen, jax.default_backend())
    except SideError as error:
        say(f'no ratio to PyTorch: {error}')
        return None


def measure(
    session: Session,
    name: str,
    call: Callable[[], Any],
    *,
    case: Mapping[str, Any] | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    parameters: Any = None,
    steps: int = 1,
    **facts: Any,
) -> Row:
    """Time a call, in turns with the peer where it knows the case.

    Args:
        session: settings and peer.
        name: of the row.
        call: ours; its result is waited for.
        case: what the peer is asked; None: ours only.
        variants: name -> what differs in the case: the fastest one counts.
        parameters: of our networks; a variant with other numbers is refused.
        steps: of a call, on both sides; times are a step's.
        **facts: further entries of the row.

    Returns:
        The row: ``name``, ``ours``, ``peers``, and, with a peer, ``best_peer``, ``ratio``, ``ratio_range``.
    """
    warm(call)
    peers, refused = _peer_sides(session, case, variants or {'eager': {}}, parameters)
    times, failed = interleaved({'ours': lambda: timed(call, session.seconds), **peers}, session.rounds)
    refused |= failed
    for variant, reason in refused.items():
        session.say(f'{name}: PyTorch, {variant}: {reason}')
    times = {side: [[t / steps for t in turn] for turn in rounds] for side, rounds in times.items()}
    ours = times.pop('ours')
    row: Row = {'name': name, 'ours': summarize(ours), **facts}
    if parameters is not None:
        row['parameters'] = parameters
    if refused:
        row['refused'] = refused
    if times:
        row['peers'] = {variant: summarize(rounds) for variant, rounds in times.items()}
        best = min(times, key=lambda variant: row['peers'][variant]['median'])
        row |= {'best_peer': best, **ratio(ours, times[best])}
    return row


def _peer_sides(
    session: Session,
    case: Mapping[str, Any] | None,
    variants: Mapping[str, Mapping[str, Any]],
    parameters: Any,
) -> tuple[dict[str, Side], dict[str, str]]:
    """Build the variants of a case at the peer; those that fail or differ are refused, with the reason."""
    sides: dict[str, Side] = {}
    refused: dict[str, str] = {}
    if session.peer is None or case is None:
        return sides, refused
    try:
        session.peer.ask(drop=True)  # this row has the memory of the last one
        for variant, changes in variants.items():
            try:
                asked = _prepared(session.peer, {**case, **changes}, parameters)
                sides[variant] = session.peer.side(asked, session.seconds)
            except SideError as error:
                refused[variant] = str(error)
    except SideError as error:
        refused = dict.fromkeys(variants, str(error))
    return sides, refused


def _prepared(peer: Peer, case: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """Build a case at the peer and compare its parameters with ours."""
    found = peer.ask(case=case, seconds=0)['parameters']
    if parameters is not None and found != parameters:
        raise SideError(f'not comparable: it has {found} parameters, ours {parameters}')
    return case
