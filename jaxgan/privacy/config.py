"""What a differentially private training is asked for, and which recipes it refuses."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from jaxgan.errors import InputError

SMALLEST_DELTA = 1e-10  # below, rounding of the accountant would count
SEEN = 'depends on real images, and not through gradients that are noised'
BOUNDS = {'epsilon': (1e-3, 1e3), 'noise': (1e-3, 1e4), 'clip': (1e-6, 1e6), 'at_once': (1, 4_096)}


@dataclass(frozen=True)
class Privacy:
    """Differentially private training: D learns from clipped and noised gradients of Poisson samples; nothing else sees real images."""

    epsilon: float | None = None
    """The whole training may spend so much: the noise is chosen so that its planned length does. Without this and noise: not private."""
    noise: float | None = None
    """The noise instead: its standard deviation on the sum of gradients, in units of clip; epsilon, if it is given, is then only a limit."""
    clip: float = 1.0
    """Each image's gradient of D is clipped to this norm."""
    delta: float | None = None
    """The chance with which the guarantee may fail (default: 1 / (10 n), n the number of images; it must be below 1 / n)."""
    key: str | None = None
    """A file with a secret of at least 16 bytes, of this run alone: noise and samples are made of it, so whoever has it can subtract the noise."""
    at_once: int = 8
    """Images whose gradients are computed together: more need more memory."""

    @property
    def asked(self) -> bool:
        """Whether the training is to be private."""
        return self.epsilon is not None or self.noise is not None


def check_privacy(config: Any) -> None:
    """Refuse values that no training could use, and recipes in which real images would be seen besides D's gradients.

    Raises:
        InputError: names the field, its value and what is allowed.
    """
    dp: Privacy = config.dp
    if not dp.asked:
        if dp != Privacy():
            raise InputError(f'{_given(dp)} has no effect without dp.epsilon or dp.noise')
        return
    for name, (least, most) in BOUNDS.items():
        value = getattr(dp, name)
        if value is not None and not least <= value <= most:  # also what is not finite
            raise InputError(f'dp.{name} {value} must be from {least:g} to {most:g}')
    if dp.delta is not None and not SMALLEST_DELTA <= dp.delta < 1:
        raise InputError(f'dp.delta {dp.delta} must be from {SMALLEST_DELTA} to 1 / number of images')
    if dp.key is None:
        raise InputError(
            'dp needs dp.key: a file with a secret, such as 32 bytes of /dev/urandom (a seed that is written down would let anybody subtract the noise)'
        )
    for name, value, wanted, why in _refused(config):
        if value != wanted:
            raise InputError(f'dp needs {name} {wanted}, not {value}: {why}')
    for name, value, why in _never(config):
        if value:
            raise InputError(f'dp cannot be together with {name} {value}: {why}')


def _given(dp: Privacy) -> str:
    """Name the fields that are not as they are by default."""
    names = [field.name for field in dataclasses.fields(dp) if getattr(dp, field.name) != field.default]
    return ', '.join(f'dp.{name} {getattr(dp, name)}' for name in names)


def _refused(config: Any) -> list[tuple[str, Any, Any, str]]:
    """List fields, their values, the one that a private training has, and why."""
    return [
        ('training', config.training, 'two_stage', 'the other ones make one gradient of what has to be apart'),
        ('conditional', config.conditional, False, 'the generator would be trained on labels of real images'),
        ('microbatches', config.microbatches, 1, 'dp.at_once says how many images are computed together'),
        ('fingerprint', config.fingerprint, None, 'marking real images is not built for private training'),
        ('evaluation.every', config.evaluation.every, 0, f'what it chooses and shows {SEEN}; measure afterwards with jaxgan evaluate'),
        ('sharding', config.sharding if config.sharding == 'fsdp' else 'data', 'data', 'gradients of single images need whole parameters'),
        ('data.residence', config.data.residence if config.data.residence == 'stream' else 'auto', 'auto', 'a Poisson sample is taken from images on the device'),
    ]  # fmt: skip


def _never(config: Any) -> list[tuple[str, Any, str]]:
    """List fields, what of them no private training has (empty: nothing), and why."""
    penalties = (*config.penalties, *config.g_penalties)
    return [
        ("ada's ada_target", config.ada_target if config.ada else None, f'it {SEEN}; ada_target None leaves the probability as augment_p says'),
        ('apa_target', config.apa_target, f'it {SEEN}'),
        ('penalties', 'lecam' if any(penalty.name == 'lecam' for penalty in penalties) else '', f'its memory {SEEN}'),
        ('g_penalties', 'wgan_gp' if any(penalty.name == 'wgan_gp' for penalty in config.g_penalties) else '', f'it {SEEN}'),
        ('data.name', config.data.name if config.data.name.startswith('stacked') else '', 'each image is in many stacks'),
    ]  # fmt: skip
