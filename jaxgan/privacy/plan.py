"""The plan of a private training: chances, sizes and noise, all known before it begins, and what it will have spent after each step."""

import functools
import math
from typing import Any, NamedTuple

import scipy  # jax depends on it; scipy.special comes when it is first asked for

from jaxgan.errors import InputError
from jaxgan.privacy import accountant
from jaxgan.privacy.config import SMALLEST_DELTA, Privacy

RARE = 1e-20  # the chance that an update's sample is larger than its capacity


class Plan(NamedTuple):
    """What a private training does; public, but for the secret, which is not here."""

    images: int
    """Of the data set, n; taken to be public."""
    expected: int
    """Images of an update of D that are expected; q n."""
    threshold: int
    """q times 2^32: an image is taken where 32 random bits are below."""
    capacity: int
    """Places of an update's sample."""
    noise: float
    clip: float
    delta: float
    updates: int
    """Updates of D that are planned."""
    at_once: int
    limit: float | None
    """The epsilon that may not be passed."""

    @property
    def chance(self) -> float:
        """The chance q of an image to be in an update, exactly."""
        return self.threshold / 2**32

    def overflow(self, updates: int) -> float:
        """Bound the chance that in so many updates some sample is too large for its places.

        It is joined to delta as it is. Fix who of the other n - 1 images are in each update: where these leave a place free, nothing is cut off whether or not
        an image comes in addition, and the accountant's worst pair holds; else, at most with this chance, nothing is claimed.
        """
        if self.capacity >= self.images:
            return 0.0
        return min(updates * float(scipy.special.bdtrc(self.capacity - 1, self.images - 1, self.chance)), 1.0)

    def spent(self, updates: int) -> float:
        """Compute the epsilon of so many updates of D, at ``delta``."""
        return _spent(self, updates)


@functools.lru_cache(maxsize=64)
def _spent(plan: Plan, updates: int) -> float:
    return _up(accountant.epsilon(plan.chance, plan.noise, updates, plan.delta - plan.overflow(updates)))


def _up(value: float) -> float:
    """Round up to four digits, with which it is printed: a bound that is rounded to the nearest is none.

    >>> _up(9.99161), _up(0.0)
    (9.992, 0.0)
    """
    if not 0 < value < math.inf:
        return value
    digits = 3 - math.floor(math.log10(value))
    return float(f'{math.ceil(value * 10.0**digits) / 10.0**digits:.4g}')


@functools.lru_cache(maxsize=16)
def make_plan(dp: Privacy, images: int, batch_size: int, updates: int) -> Plan:
    """Make the plan of a training.

    Args:
        dp: what was asked for.
        images: of the data set, those that are excluded by name left out.
        batch_size: images of an update of D that are expected.
        updates: of D, in the whole training.

    Raises:
        InputError: it cannot be done with so many images, or spends more than it may.
    """
    delta = max(0.1 / images, SMALLEST_DELTA) if dp.delta is None else dp.delta
    if delta >= 1 / images:
        raise InputError(
            f'dp.delta {delta:g} must be below 1 / {images:,}: one image of {images:,} could be published whole with more'
        )
    if batch_size > images:
        raise InputError(
            f'batch_size {batch_size} is more than the {images:,} images: dp takes each once in an update at most'
        )
    threshold = batch_size * 2**32 // images
    places = min(_capacity(images, threshold / 2**32), images)
    capacity = math.ceil(places / dp.at_once) * dp.at_once
    plan = Plan(images, batch_size, threshold, capacity, 1.0, dp.clip, delta, updates, dp.at_once, dp.epsilon)
    if dp.noise is None:
        assert dp.epsilon is not None
        plan = plan._replace(noise=_noise(dp.epsilon, plan))
    else:
        plan = plan._replace(noise=dp.noise)
        _check_limit(plan)
    return plan


def _noise(epsilon: float, plan: Plan) -> float:
    try:
        return accountant.noise_for(
            epsilon, plan.chance, plan.updates, plan.delta - plan.overflow(plan.updates)
        )
    except ValueError as error:
        raise InputError(f'dp.epsilon {epsilon}: {error}') from None


def _check_limit(plan: Plan) -> None:
    try:
        spent = plan.spent(plan.updates)
    except ValueError as error:
        raise InputError(f'dp.noise {plan.noise}: {error}') from None
    if not spent <= (math.inf if plan.limit is None else plan.limit):
        raise InputError(
            f'dp.noise {plan.noise} spends epsilon {spent:.4g} in {plan.updates:,} updates of D, and dp.epsilon allows {plan.limit}: '
            'more noise, fewer images, or leave one of the two out'
        )


def _capacity(images: int, chance: float) -> int:
    """Find the least number of places that a sample fits into but for the chance RARE."""
    low, high = 0, images
    while high - low > 1:
        middle = (low + high) // 2
        rare = scipy.special.bdtrc(middle - 1, images - 1, chance) <= RARE
        low, high = (low, middle) if rare else (middle, high)
    return high


def describe(plan: Plan, updates: int) -> dict[str, Any]:
    """Describe what has been spent, in JSON values: what stands beside a checkpoint."""
    spent = plan.spent(updates)
    return {
        'epsilon': spent if math.isfinite(spent) else None,
        'delta': plan.delta,
        'relation': 'add or remove one image',
        'updates': updates,
        'planned_updates': plan.updates,
        'planned_epsilon': plan.limit,
        'noise': plan.noise,
        'clip': plan.clip,
        'images': plan.images,
        'expected_batch': plan.expected,
        'chance': plan.chance,
        'capacity': plan.capacity,
        'overflow': plan.overflow(updates),
        'sampling': 'Poisson',
        'accountant': 'privacy loss distribution, rounded up',
    }


FIXED = ('delta', 'noise', 'clip', 'images', 'expected_batch', 'chance', 'capacity')
"""What a training that goes on may not change."""


def tell(plan: Plan, updates: int) -> str:
    """Say in one line what so many updates of D spend."""
    limit = '' if plan.limit is None else f' (at most {plan.limit:g})'
    return (
        f'privacy: epsilon {plan.spent(updates):.4g}{limit} at delta {plan.delta:.2g}, for adding or removing one of {plan.images:,} images, after '
        f'{updates:,} updates of D; noise {plan.noise:g}, clip {plan.clip:g}, {plan.expected} images expected in an update'
    )


def why_not_continued(plan: Plan, there: Any, at: int) -> str:
    """Say why a training cannot go on from what stands beside a checkpoint; nothing, if it can.

    Args:
        plan: of the training that would go on.
        there: what ``describe`` made.
        at: updates of D that the checkpoint has had.
    """
    if not isinstance(there, dict):
        return 'it was not trained privately'
    here = describe(plan, at)
    for name in FIXED:
        if there.get(name) != here[name]:
            planned = there.get('planned_updates')
            hint = ''
            if name == 'noise' and planned != plan.updates:
                hint = f': it was chosen for {planned} updates of D, and {plan.updates} are asked for; give the --images of then'
            return f'its {name} is {there.get(name)}, and would be {here[name]} now{hint}'
    return ''
