"""The feed of a run, by its configuration."""

import json
from typing import Any

import numpy as np

from jaxgan.config import Config, step_images
from jaxgan.data import Feed, ImageSource
from jaxgan.data import open_feed as open_public
from jaxgan.data.private import private_feed
from jaxgan.errors import InputError
from jaxgan.marks.secret import read_secret
from jaxgan.privacy.plan import FIXED, Plan, describe
from jaxgan.run.credit import run_digest


def open_feed(
    config: Config, source: ImageSource, plan: Plan | None, mesh: Any, divided: bool, excluded: np.ndarray
) -> Feed:
    """Open the feed of a training: in shuffled epochs, or, for a private one, in Poisson samples that its secret chooses.

    Args:
        config: of the training.
        source: its images.
        plan: of a private training; None: it is not.
        mesh: the devices.
        divided: split the batches of a stream over them.
        excluded: images that may not come.

    Raises:
        InputError: the secret cannot be read, or the images do not fit.
    """
    if plan is None:
        return open_public(
            source,
            config.data,
            batch_size=step_images(config),
            seed=config.seed,
            mesh=mesh,
            divided=divided,
            excluded=excluded,
        )
    if len(source) - len(excluded) > plan.images:
        raise InputError(
            f'data.exclude has {len(config.data.exclude)} names, and they are {len(excluded)} images: dp needs each named once, for chances are made of their number'
        )
    told = describe(plan, 0)
    fixed = {name: told[name] for name in FIXED}
    return private_feed(
        source,
        plan,
        read_secret(str(config.dp.key), 'dp.key'),
        f'{run_digest(config)} {json.dumps(fixed, sort_keys=True)}',
        updates=config.d_steps,
        flip=config.data.flip,
        mesh=mesh,
        excluded=excluded,
        large=config.data.residence == 'device',
    )
