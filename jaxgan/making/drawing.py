"""The compiled programs of a request: from seeds to images, and to what is asked about them besides."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxgan import build
from jaxgan.making.judging import Judge, judged, read_judging
from jaxgan.making.options.sample import SampleOptions
from jaxgan.opened import Generator
from jaxgan.rejection import chances, langevin
from jaxgan.sampling import Asked, draw_images, draw_latents, draw_styles, keys_of, renderer, to_pixels


class Drawing(NamedTuple):
    """What ``jaxgan.sampling.make_stream`` runs."""

    program: Callable
    """``(weights, (seeds, labels)) -> {'seeds', 'labels', 'images', ...}``; also 'score' and 'chance' where there is a judge, and
    'z' and 'w' for a trace."""
    weights: Any


def make_drawing(found: Generator, asked: Asked, judge: Judge | None, options: SampleOptions) -> Drawing:
    """Make the programs of a request; images without rejection are those of ``make_sampler``, to the byte."""
    paint = (
        _moving(found, judge, options) if judge and options.reject == 'ddls' else _painting(found, options)
    )
    score = judged(judge) if judge else None
    chance = jax.jit(lambda seeds: chances(keys_of(seeds)))
    styles = jax.jit(lambda *given: draw_styles(found.network, *given)[:, _layers(asked)])

    def program(weights: Any, part: Any) -> dict[str, Any]:
        (params, aux, wanted, judging), (seeds, labels) = weights, part
        z, pixels = paint(params, aux, wanted, judging, seeds, labels)
        results = {'seeds': seeds, 'labels': labels, 'images': pixels}
        if score:
            results |= {'score': score(judging, pixels, labels), 'chance': chance(seeds)}
        if options.trace is not None:
            results['z'] = z
            if found.network.mapping:
                results['w'] = styles(params, aux, z, labels, wanted)
        return results

    return Drawing(program, (found.params, found.aux, asked, judge.weights if judge else None))


def _layers(asked: Asked) -> Any:
    """Choose the layers that a trace tells: without truncation of some only, all have the same style."""
    return slice(None) if asked.cutoff is not None else 0


def _painting(found: Generator, options: SampleOptions) -> Callable:
    """Make images of seeds, and by a program of its own their latents, where they are wanted."""
    render = renderer(found.network, found.latents)
    draw = jax.jit(lambda asked, seeds: draw_latents(found.latents, keys_of(seeds), asked))

    def paint(params: Any, aux: Any, asked: Asked, judging: Any, seeds: Any, labels: Any) -> Any:
        del judging
        z = None if options.trace is None else draw(asked, seeds)
        return z, render(params, aux, asked, seeds, labels)

    return paint


def _moving(found: Generator, judge: Judge, options: SampleOptions) -> Callable:
    """Make latents by Langevin steps, and their images."""
    how = read_judging(options)
    moves = 1 - build.build_temperatures(found.card['architecture'], 0.0)  # signs stay

    @jax.jit
    def move(
        params: Any, aux: Any, asked: Asked, judging: Any, seeds: Any, labels: Any, steps: Any, size: Any
    ):
        def score(z: Any) -> Any:
            made = draw_images(found.network, params, aux, z, labels, asked)
            return judge.score(*judging, made, labels)

        keys = keys_of(seeds)
        return langevin(score, draw_latents(found.latents, keys, asked), keys, steps, size, moves)

    draw = jax.jit(lambda *given: to_pixels(draw_images(found.network, *given)))

    def paint(params: Any, aux: Any, asked: Asked, judging: Any, seeds: Any, labels: Any) -> Any:
        z = move(params, aux, asked, judging, seeds, labels, how.steps, how.step_size)
        return z, draw(params, aux, z, labels, asked)

    return paint
