"""What each layer says of a file: metadata, signature, watermark, record."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Verdict = Literal['proves', 'claims', 'nothing', 'broken', 'not looked at']
"""``proves``: it would not be so, had a jaxgan model not made it (or had nobody forged it on purpose); ``claims``: the file, or a likeness,
says so, or a record beside it, and anybody can write that; ``broken``: it was proof, and no longer fits the file."""
NO_FACTS: Mapping[str, Any] = MappingProxyType({})


class Layer(NamedTuple):
    """A layer's answer."""

    name: str
    verdict: Verdict
    words: str
    """For a reader, without a full stop."""
    p_value: float | None = None
    """The probability that chance alone gives as much, all tries counted; None: the layer has none."""
    facts: Mapping[str, Any] = NO_FACTS
    """JSON, for programs."""

    def told(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {
            'name': self.name,
            'verdict': self.verdict,
            'p_value': self.p_value,
            'words': self.words,
            **({'facts': dict(self.facts)} if self.facts else {}),
        }
