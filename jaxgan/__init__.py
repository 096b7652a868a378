"""jaxgan: generative adversarial networks in JAX, as pure functions.

The core is importable piece by piece: ``networks``, ``losses``, ``regularizers``, ``augment``, ``latents``, ``ema``,
``optimizers``, ``schedules``, ``state``, ``phases``, ``steps``, ``extensions`` and ``sampling`` know no files, flags or devices.

What is named here is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from jaxgan.lazy import attach
from jaxgan.version import __version__

if TYPE_CHECKING:  # what editors and type checkers read
    from jaxgan.guard import guarded
    from jaxgan.networks import from_functions, from_linen, remat, spectral_norm
    from jaxgan.onestage import make_one_stage_step, mixes_samples, one_stage_phase
    from jaxgan.phases import as_step, observe, over_parts, repeat, scan_steps, sequence
    from jaxgan.sharedfakes import make_shared_fakes_step, shared_fakes_phase
    from jaxgan.state import Average, GanState, Player, init_state
    from jaxgan.steps import (
        Recipe,
        discriminator_phase,
        ema_phase,
        generator_phase,
        make_train_step,
    )
    from jaxgan.types import Extension, Loss, Memory, Network, Regularizer, Verdict

__all__ = [
    'Average',
    'Extension',
    'GanState',
    'Loss',
    'Memory',
    'Network',
    'Player',
    'Recipe',
    'Regularizer',
    'Verdict',
    '__version__',
    'as_step',
    'discriminator_phase',
    'ema_phase',
    'from_functions',
    'from_linen',
    'generator_phase',
    'guarded',
    'init_state',
    'make_one_stage_step',
    'make_shared_fakes_step',
    'make_train_step',
    'mixes_samples',
    'observe',
    'one_stage_phase',
    'over_parts',
    'remat',
    'repeat',
    'scan_steps',
    'sequence',
    'shared_fakes_phase',
    'spectral_norm',
]

__getattr__, __dir__ = attach(
    __name__,
    {
        'guard': ('guarded',),
        'networks': ('from_functions', 'from_linen', 'remat', 'spectral_norm'),
        'onestage': ('make_one_stage_step', 'mixes_samples', 'one_stage_phase'),
        'phases': ('as_step', 'observe', 'over_parts', 'repeat', 'scan_steps', 'sequence'),
        'sharedfakes': ('make_shared_fakes_step', 'shared_fakes_phase'),
        'state': ('Average', 'GanState', 'Player', 'init_state'),
        'steps': ('Recipe', 'discriminator_phase', 'ema_phase', 'generator_phase', 'make_train_step'),
        'types': ('Extension', 'Loss', 'Memory', 'Network', 'Regularizer', 'Verdict'),
    },
)
