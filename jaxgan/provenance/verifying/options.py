"""The options of ``jaxgan verify``."""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """Say of pictures, films and arrays what shows that a jaxgan model made them. Exit code 0: something proves it of every image, or
    with --fingerprint that fingerprint does; 4: not of all.

    No layer withstands who forges on purpose: a public watermark can be put into any picture by who knows the model. What you rely on,
    name: the watermark's secret (--mark-key), your own record (--jsonl), the signers you trust (--trust)."""

    images: tyro.conf.Positional[tuple[str, ...]]
    """Pictures, films, .npz files of jaxgan sample, or folders of them; with --fingerprint also runs and exports."""
    model: tuple[str, ...] = ()
    """Runs or exports that may have made them: their marks are looked for, besides those of models that the files themselves name."""
    mark_key: str | None = None
    """The file with the secret of the watermark, where one was used (default: the file that JAXGAN_MARK_KEY names)."""
    fingerprint: str | None = None
    """A file with the secret that a generator was trained with (jaxgan train --fingerprint): its mark is looked for in the images, and in the
    samples of runs and exports, which may then be named besides files."""
    jsonl: tuple[str, ...] = ()
    """Records of what was made that you trust: they prove (default: provenance.jsonl beside each file, which only claims)."""
    fpr: float = 1e-6
    """How improbable a watermark must be by chance, all tries on an image counted, to prove something."""
    search: bool = True
    """Look for the watermark in mirrored, cut and scaled pictures, too."""
    trust: str | None = None
    """Certificates (PEM) of those whose C2PA signatures you trust: they prove; any other only claims."""
    json: bool = False
    """Print a line of JSON for each file instead."""
