"""The options of ``jaxgan bench``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class BenchOptions:
    """Measure speed: ops, step, sample, input, startup, scale, variants; modes: what losses cover; all: each of them."""

    suite: tyro.conf.Positional[str]
    """Which suite."""
    torch: str | None = None
    """Path of a Python that has PyTorch, to compare with (default: this one, if it has); variants and modes compare none."""
    out: str | None = None
    """FILE.json to write."""
    out_dir: str | None = None
    """Folder for SUITE.json of each suite."""
    quick: bool = False
    """Fewer, smaller cases and rounds: under a minute a suite, and noisier."""
    only: str | None = None
    """Cases by name, such as c2,t4 (default: all of the suite)."""
    rounds: int | None = None
    """Turns of each side (default: 7, or 3 when quick)."""
    data: str | None = None
    """For modes: MNIST, as PATH.npz (x_train, y_train, x_test, y_test) or as TFDS has it: mnist."""
