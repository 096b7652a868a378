# ruff: noqa: E402
"""In float64, on virtual devices: what the tests of placement run in processes of their own, one mode each.

Every ``jnp.float32`` of the package becomes float64 before it is imported, so ways of splitting a batch differ by 1e-16,
and what is wrong stands out by ten orders of magnitude. Usage: ``exact.py DTYPE DEVICES MODE [arguments]``.
"""

import dataclasses
import itertools
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import jaxlib.version

DTYPE, DEVICES, MODE, *REST = sys.argv[1:]
os.environ['XLA_FLAGS'] = ' '.join(
    [f'--xla_force_host_platform_device_count={DEVICES}', '--xla_backend_optimization_level=0']
    + ['--xla_cpu_use_fusion_emitters=false'] * jaxlib.version.__version__.startswith('0.10.')
)
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax
import jax.numpy as jnp

if DTYPE == 'float64':
    jax.config.update('jax_enable_x64', True)
    jnp.float32 = jnp.float64

import flax.linen as nn
import numpy as np
import optax
from jax.sharding import PartitionSpec

from jaxgan import build, from_functions, from_linen, losses, regularizers
from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.manifest import named_leaves
from jaxgan.config import Config, Ema, Optimizer, PathLength, Penalty
from jaxgan.data import DataConfig, open_source, prepare
from jaxgan.latents import normal
from jaxgan.modelconfig import DCGAN, MLP, R3GAN, SNGAN, BigGAN, FastGAN, StyleGAN2, Transformer
from jaxgan.models.equalized import minibatch_deviation
from jaxgan.parallel.sharding import data_mesh, replicated, split, split_latents
from jaxgan.privacy.config import Privacy
from jaxgan.run.trainer import make_trainer
from jaxgan.state import init_state
from jaxgan.steps import Recipe, draw_inputs, make_train_step
from jaxgan.types import Regularizer

if DTYPE == 'float64':  # what training remembers begins as a number of NumPy's
    regularizers.lecam.memory.initial.update(dict.fromkeys(('fake', 'real', 'weight'), np.zeros(())))

R1, R2, GP = (Penalty(name, (0.5, 0.5)) for name in ('r1', 'r2', 'wgan_gp'))
CASES = {
    'dcgan': (16, {'model': DCGAN(8, 4), 'penalties': (R1, R2), 'augment': ('color', 'translation'), 'conditional': True}),
    'dcgan-parts': (16, {'model': DCGAN(8, 4), 'penalties': (GP,), 'loss': 'wasserstein', 'microbatches': 2, 'batch_size': 32}),
    'dcgan-dp': (16, {'model': DCGAN(8, 4, norm='none'), 'loss': 'hinge', 'penalties': (R1,), 'd_steps': 2,
                      'dp': Privacy(noise=1.0, key=__file__)}),
    'dcgan-ada': (16, {'model': DCGAN(8, 4), 'penalties': (), 'loss': 'non_saturating', 'ada': ('blit', 'color'), 'ada_images': 100}),
    'stylegan2': (16, {'model': StyleGAN2(8, 8, 1, 1, 64, 8, d_deviation_group=2), 'loss': 'non_saturating',
                       'penalties': (Penalty('r1', (0.5, 0.5), 2),), 'path_length': PathLength(2.0, every=2)}),
    'r3gan': (16, {'model': R3GAN(8, (8, 8, 8), (2, 2, 2), 1), 'penalties': (R1, R2), 'training': 'one_stage'}),
    'sngan': (32, {'model': SNGAN(8, 2), 'conditional': True, 'loss': 'hinge', 'penalties': (), 'spectral_norm': 'discriminator', 'd_steps': 2}),
    'biggan': (32, {'model': BigGAN(8, 4, attention=(16,), shared=4), 'conditional': True, 'loss': 'hinge', 'penalties': (),
                    'spectral_norm': 'both', 'training': 'shared_fakes'}),
    'fastgan': (32, {'model': FastGAN(8, 8, max_width=16), 'loss': 'hinge', 'penalties': (Penalty('auxiliary_real'),)}),
    'transformer': (16, {'model': Transformer(8, 4, 16, None, 1, None, 2), 'penalties': (R1,)}),
    'mlp': (16, {'model': MLP(8, 16, depth=2), 'loss': 'hinge', 'penalties': (Penalty('lecam'), R1), 'apa_target': 0.6, 'apa_images': 100}),
}  # fmt: skip


def config(folder, name, **changes):
    size, own = CASES[name]
    path = Path(folder) / f'data{size}.npz'
    if not path.exists():
        images = np.random.default_rng(0).integers(0, 256, (40, size, size, 3), np.uint8)
        np.savez(path, x_train=images, y_train=np.arange(40) % 4)
    adam = Optimizer((1e-3, 1e-3), eps=1e-3)
    made = Config(
        data=DataConfig(f'npz:{path}', flip=True), dtype=DTYPE, g_optimizer=adam, d_optimizer=adam, ema=Ema((100.0, 100.0)),
        batch_size=16, steps_per_dispatch=2, images=10_000, burn_in=100,
    )  # fmt: skip
    return dataclasses.replace(made, **own | changes)


def trainer(config, devices=8, **more):
    return make_trainer(config, open_source(config.data), devices=jax.devices()[:devices], **more)


def placed(state, made):
    return jax.device_put(state, jax.tree.map(lambda leaf: leaf.sharding, made.abstract))


def run(made, state, steps):
    state = placed(jax.tree.map(jnp.copy, state), made)
    first = int(state.step)
    for step in range(first, first + steps, made.length):
        state, _ = made.dispatch(state, step, min(made.length, first + steps - step))
    return state


def values(state):
    return {
        name: np.asarray(jax.random.key_data(leaf) if str(leaf.dtype).startswith('key') else leaf)
        for name, leaf in named_leaves(state).items()
    }


def distance(a, b):
    """The relative L2 distance of two states: the largest of those of each player's parameters, moments, and the rest."""
    a, b = values(a), values(b)
    assert set(a) == set(b)
    parts = {}
    for name in a:
        if np.issubdtype(a[name].dtype, np.floating):
            parts.setdefault('/'.join(name.split('/')[:2]), []).append(name)
        else:
            assert np.array_equal(a[name], b[name]), name
    return max(
        np.sqrt(sum(np.sum((a[n] - b[n]) ** 2) for n in names)) / max(np.sqrt(sum(np.sum(a[n] ** 2) for n in names)), 1e-6)
        for names in parts.values()
    )  # fmt: skip


def say(*result):
    print('RESULT', *result, flush=True)


def equivalence(names, shardings, steps):
    """The state after some steps on 8 devices, against 1."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names.split(','):
            made = config(folder, name)
            one = trainer(made, 1)
            start = one.init()
            end = run(one, start, int(steps))
            for sharding in shardings.split(','):
                many = run(trainer(dataclasses.replace(made, sharding=sharding)), start, int(steps))
                split = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(many))
                say(name, sharding, distance(end, many), split)


def gradients():
    """The first gradients, as steps of SGD, on 8 devices, against 1."""
    sgd = Optimizer((1.0, 1.0), name='sgd')
    with tempfile.TemporaryDirectory() as folder:
        for name in ('dcgan', 'mlp'):
            made = config(folder, name, g_optimizer=sgd, d_optimizer=sgd, steps_per_dispatch=1)
            one = trainer(made, 1)
            start = one.init()
            ends = [run(one, start, 1), run(trainer(made), start, 1)]
            found = [
                jax.tree.map(
                    jnp.subtract,
                    (end.g.params, end.d.params),
                    jax.device_put(
                        (start.g.params, start.d.params), end.g.params['Dense_0']['kernel'].sharding
                    ),
                )
                for end in ends
            ]
            say(name, distance(*found))


class Normalized(nn.Module):
    """A discriminator with batch normalization."""

    @nn.compact
    def __call__(self, x, label=None, train=True):
        h = nn.Dense(8, dtype=jnp.float64, param_dtype=jnp.float64)(x.reshape(len(x), -1))
        h = nn.BatchNorm(use_running_average=False, dtype=jnp.float64, param_dtype=jnp.float64)(h)
        return nn.Dense(1, dtype=jnp.float64, param_dtype=jnp.float64)(jnp.tanh(h))[:, 0]


def plain(deviation):
    """A generator, and a discriminator that compares samples by ``deviation``."""

    def draw(key, *shape):
        return jax.random.normal(key, shape, jnp.float64) / np.sqrt(shape[0])

    def d(params, x, label):
        h = deviation(jnp.tanh(x.reshape(len(x), -1) @ params['a']).reshape(len(x), 2, 2, 4))
        return jnp.tanh(h.reshape(len(x), -1)) @ params['b']

    width = deviation(jnp.zeros((2, 2, 2, 4))).size // 2
    return from_functions(
        lambda key, z, label: {'w': draw(key, 8, 48)},
        lambda params, z, label: (z @ params['w']).reshape(-1, 4, 4, 3),
    ), from_functions(
        lambda key, x, label: {'a': draw(key, 48, 16), 'b': draw(jax.random.fold_in(key, 1), width)}, d
    )


def strided(x):
    """The minibatch deviation with the groups of the first programs: every eighth sample."""
    n = len(x)
    order = np.arange(n).reshape(2, n // 2).T.reshape(-1)
    return minibatch_deviation(x[order], 2)[np.argsort(order)]


def mean_logit_r1(critic, real, fake, keys):
    """R1 of the mean logit, as of a batch of 16, whatever number of samples is here."""
    gradient = jax.grad(lambda x: jnp.mean(critic(x)))(real) * 16
    return jnp.sum(jnp.square(gradient), axis=(1, 2, 3))


def mutants():
    """One device, against a step under ``shard_map`` that does by hand what XLA does, with or without a mistake."""
    mesh = data_mesh(16)
    axis = 'data'
    mean = optax.stateless(lambda found, params: jax.lax.pmean(found, axis))
    total = optax.stateless(lambda found, params: jax.lax.psum(found, axis))

    def sliced(key, n):
        z = normal(8)(key, n * mesh.size)
        return jax.lax.dynamic_slice_in_dim(z, jax.lax.axis_index(axis) * n, n)

    def own(key, n):
        return normal(8)(jax.random.fold_in(key, jax.lax.axis_index(axis)), n)

    def group(x):
        return minibatch_deviation(x, 2)

    nothing = optax.identity()
    g, _ = plain(group)
    for name, networks, reduce, latents, penalty in (
        ('right', plain(lambda x: x), mean, sliced, regularizers.r1),
        ('right-groups', plain(group), mean, sliced, regularizers.r1),
        ('local-batch-norm', (g, from_linen(Normalized())), mean, sliced, regularizers.r1),
        ('strided-groups', plain(strided), mean, sliced, regularizers.r1),
        ('no-mean', plain(group), nothing, sliced, regularizers.r1),
        ('own-key', plain(group), mean, own, regularizers.r1),
        ('sum', plain(group), total, sliced, regularizers.r1),
        ('local-r1', plain(lambda x: x), mean, sliced, mean_logit_r1),
    ):

        def recipe(tx, latents, penalty=penalty):
            sgd = optax.chain(tx, optax.sgd(0.1))
            return Recipe(losses.non_saturating, sgd, sgd, latents, (Regularizer(penalty, 0.5),))

        batch = {'image': jnp.asarray(np.random.default_rng(0).normal(size=(16, 4, 4, 3)))}
        here = recipe(nothing, normal(8))
        state = init_state(jax.random.key(0), *networks, here, batch)
        step = jax.jit(make_train_step(*networks, here))
        inner = make_train_step(*networks, recipe(reduce, latents))
        there = jax.jit(
            jax.shard_map(
                lambda state, batch, inner=inner: inner(state, batch)[0],
                mesh=mesh, in_specs=(PartitionSpec(), PartitionSpec(axis)), out_specs=PartitionSpec(), check_vma=False,
            )
        )  # fmt: skip
        one, many = state, jax.device_put(state, replicated(mesh))
        for _ in range(3):
            one, many = step(one, batch)[0], there(many, jax.device_put(batch, split(mesh)))
        shown = [s.replace(step=0, images_seen=0) for s in (one, many)]
        say(name, distance(*[(s.g.params, s.d.params, s.g_ema.params) for s in shown]))


def draws():
    """What chance decides on 8 devices, against 1: equal bits."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ('dcgan', 'dcgan-ada', 'stylegan2'):
            made = config(folder, name)
            if made.augment:  # color's mean over an image is summed in another order
                made = dataclasses.replace(made, augment=('translation', 'cutout'))
            images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), np.uint8)
            found = []
            for devices in (1, 8):
                mesh = data_mesh(16, devices=jax.devices()[:devices])
                recipe = build.build_recipe(made)
                recipe = recipe._replace(latents=split_latents(recipe.latents, mesh))
                state = type('State', (), {'images_seen': 0, 'extra': {'ada': {'p': jnp.float32(0.8)}}})

                @jax.jit
                def drawn(key, images, recipe=recipe, state=state):
                    batch = prepare(key, {'image': images}, flip=True)
                    inputs = draw_inputs(batch, key, recipe)
                    return {
                        **inputs,
                        'label': None,
                        'augmented': recipe.augment(inputs['view_keys'], batch['image'], state),
                    }

                key = jax.device_put(jax.random.key(7), replicated(mesh))
                found.append(values(drawn(key, jax.device_put(images, split(mesh)))))
            for what in found[0]:
                say(name, what, int(np.array_equal(found[0][what], found[1][what])))


def elastic():
    """Ten steps on 8 devices, against ten on 8, 4, 2, 1 and 8, a checkpoint between any two; and checkpoints as they are."""
    with tempfile.TemporaryDirectory() as folder:
        made = config(folder, 'mlp', penalties=(R1,), apa_target=None)
        made = dataclasses.replace(
            made, data=dataclasses.replace(made.data, residence='stream'), apa_images=500_000
        )
        trainers = {
            (devices, sharding): trainer(dataclasses.replace(made, sharding=sharding), devices)
            for devices in (1, 2, 4, 8)
            for sharding in ('data', 'fsdp')
        }
        start = trainers[8, 'data'].init()
        whole = state = start
        whole = run(trainers[8, 'data'], whole, 10)
        with Checkpoints(Path(folder) / 'saved', keep=100) as saved:
            for where in ((8, 'fsdp'), (4, 'data'), (2, 'fsdp'), (1, 'data'), (8, 'data')):
                state = run(trainers[where], state, 2)
                saved.save(int(state.step), state, {})
                state, _ = saved.restore(trainers[where].abstract)
            say('elastic', distance(whole, state))
            for n, (a, b) in enumerate(
                itertools.product(
                    ((8, 'fsdp'), (8, 'data'), (1, 'data')),
                    ((1, 'data'), (2, 'fsdp'), (4, 'data'), (8, 'fsdp')),
                )
            ):
                there = placed(start, trainers[a])
                with Checkpoints(Path(folder) / f'{n}') as one:
                    one.save(1, there, {})
                    here, _ = one.restore(trainers[b].abstract)
                same = all(
                    np.array_equal(x, y)
                    for x, y in zip(values(there).values(), values(here).values(), strict=True)
                )
                on = {
                    leaf.sharding == form.sharding
                    for leaf, form in zip(
                        jax.tree.leaves(here), jax.tree.leaves(trainers[b].abstract), strict=True
                    )
                }
                say('checkpoint', *a, *b, int(same and on == {True}))


def audit(names):
    """Count the collectives in the program of 8 devices."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names.split(','):
            made = config(folder, name, batch_size=32, path_length=PathLength())
            text = trainer(made).program.compiled().as_text()
            found = re.findall(r'= (.*?) (all-\w+|collective-permute|reduce-scatter)(?:-start)?\(', text)
            kinds = [kind for _, kind in found]
            gathered = [shape for shape, kind in found if kind == 'all-gather']
            say(name, json.dumps({kind: kinds.count(kind) for kind in sorted(set(kinds))}), '|', *gathered)


def processes(coordinator, count, process, out):
    """Train as one of several processes, and write down what this one holds."""
    from jaxgan.parallel.join import connect
    from jaxgan.parallel.launch import Job
    from jaxgan.parallel.placing import local

    if int(count) > 1:
        connect(Job(coordinator, int(count), int(process), 'the test'), 120)
    with tempfile.TemporaryDirectory() as folder:
        for sharding in ('data', 'fsdp'):
            made = config(folder, 'mlp', sharding=sharding)
            made = dataclasses.replace(made, data=dataclasses.replace(made.data, residence='stream'))
            whole = make_trainer(made, open_source(made.data))
            state = whole.init()
            for step in range(0, 4, 2):
                state, _ = whole.dispatch(state, step, 2)
            whole.feed.close()
            found = local(state.replace(key=jax.random.key_data(state.key)))
            np.savez(f'{out}-{sharding}-{process}.npz', **values(found))
    say('done')


if __name__ == '__main__':
    globals()[MODE](*REST)
