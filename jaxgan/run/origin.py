"""On what, and of which data, a run is made: said with each checkpoint, and compared when it goes on."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

from jaxgan.data import DataInfo, Feed, ImageSource
from jaxgan.data.fingerprint import fingerprint_arrays, glance
from jaxgan.errors import InputError, MachineError
from jaxgan.run import environment


class Origin:
    """The environment and the data of a training."""

    def __init__(self, feed: Feed, source: ImageSource, info: DataInfo) -> None:
        """Begin to look at the data, in a thread; those that stay on the device are there already."""
        self._info = info
        self._environment = environment.environment()
        pool = concurrent.futures.ThreadPoolExecutor(1, 'fingerprint')
        self._fingerprint = pool.submit(look, feed, source)
        pool.shutdown(wait=False)

    def meta(self) -> dict[str, Any]:
        """Return what is stored with a checkpoint."""
        return {'environment': self._environment, 'fingerprint': self._fingerprint.result()}

    def check(self, meta: dict[str, Any], name: str, strict: bool, say: Callable[[str], None]) -> None:
        """Compare with what a checkpoint says; one that says nothing, as older ones do, fits.

        Args:
            meta: of the checkpoint.
            name: of the checkpoint.
            strict: another environment is refused, instead of mentioned.
            say: is told of another environment.

        Raises:
            InputError: the data are others.
            MachineError: the environment is another, and ``strict``.
        """
        self._check_data(meta, name)
        there = meta.get('environment')
        changed = environment.changes(there, self._environment) if isinstance(there, dict) else []
        if changed and strict:
            raise MachineError(
                f'{name} is of another environment ({"; ".join(changed)}); '
                'without --strict-env the training continues, but not bit for bit'
            )
        if changed:
            say(f'another environment: the training continues, but not bit for bit ({"; ".join(changed)})')

    def _check_data(self, meta: dict[str, Any], name: str) -> None:
        there, here = meta.get('fingerprint'), self._fingerprint.result()
        if not isinstance(there, dict) or there == here:
            return
        info, old = self._info, meta.get('data', {})
        differing = [
            f'{what}: {old.get(what)} -> {value}'
            for what, value in (('count', info.count), ('size', info.size), ('channels', info.channels))
            if old.get(what) != value
        ]
        if info.opted_out != old.get('opted_out', 0):  # by an older version, for example
            differing.append(
                f'{info.opted_out} images are left out as opted out, {old.get("opted_out", 0)} were then'
            )
        raise InputError(
            f'{name} was trained on other data than {info.name}, split {info.split} '
            f'({"; ".join(differing) or "as many images, with other contents"}); '
            'bring the old ones back, or train in another --workdir'
        )


def look(feed: Feed, source: ImageSource) -> dict[str, str]:
    """Compute the fingerprint of a training's data: of all bytes where they stay on the device, else of some images."""
    if len(feed.abstract(1)['image'].shape) == 4:  # [N, H, W, C]; a stream's batches have an axis more
        samples = {name: values for name, values in feed.take(0, 1).items() if name in ('image', 'label')}
        return {'of': 'all', 'sha256': fingerprint_arrays(samples)}
    return {'of': 'some', 'sha256': glance(source)}
