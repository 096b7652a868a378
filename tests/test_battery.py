"""One battery a family, which every member passes by being registered; ``tests/battery.py`` has what they share."""

import dataclasses
import functools
import importlib
import typing

import battery
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import build, critic, extensions, init_state, losses, regularizers, scan_steps
from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.critic import as_verdict
from jaxgan.errors import InputError
from jaxgan.latents import normal
from jaxgan.modelconfig import KINDS
from jaxgan.state import Average, GanState, Player, memories
from jaxgan.steps import Recipe
from jaxgan.types import Regularizer

B = 4
TINY = {  # the smallest pair of each family: fields of its configuration, and `size` where it is not 16
    'biggan': {'latent_dim': 8, 'width': 4, 'attention': (8,), 'shared': 4, 'size': 32},
    'biggan_deep': {'latent_dim': 4, 'width': 4, 'attention': (8,), 'shared': 4, 'size': 32},
    'dcgan': {'latent_dim': 4, 'width': 4},
    'fastgan': {'latent_dim': 4, 'width': 1, 'size': 32},
    'mlp': {'latent_dim': 4, 'width': 8, 'depth': 2},
    'r3gan': {'latent_dim': 4, 'widths': (8, 8, 4), 'groups': (2, 2, 1), 'blocks_per_stage': 1},
    'sngan': {'latent_dim': 4, 'width': 2, 'size': 32},
    'stylegan2': {
        'latent_dim': 4,
        'w_dim': 4,
        'mapping_layers': 2,
        'd_mapping_layers': 2,
        'channel_base': 64,
        'channel_max': 8,
    },
    'transformer': {'latent_dim': 4, 'patch': 4, 'width': 8, 'depth': 1, 'heads': 2},
}
EXTENSIONS = {  # each with small arguments
    'apa': lambda: extensions.apa(0.6, 1_000),
    'discriminator_steps': lambda: extensions.discriminator_steps(2),
    'path_length': lambda: extensions.path_length(2.0, every=2),
}


# models


def tiny(name, **changes):
    """A family's smallest configuration, and its images' side."""
    fields = dict(TINY[name])
    size = fields.pop('size', 16)
    return KINDS[name](**fields | changes), size


def networks(name, classes=3, dtype='float32', **changes):
    model, size = tiny(name, **changes)
    return *build.build_networks(model, size, 3, classes, dtype), size


def latents(name, **changes):
    return build.build_training_latents(tiny(name, **changes)[0])


def test_every_family_has_an_entry():
    for family, table in ((build.MODELS, TINY), (extensions.__all__, EXTENSIONS)):
        assert set(family) == set(table), 'a member without a line in the table of this file, or the reverse'
    assert set(build.MODELS) == set(KINDS)


def shaped(g, d, draw, size, label, equalized):
    """Parameters at which everything is at work (zeros at the start hide what is behind them), aux, and inputs."""
    z = draw(jax.random.key(0), B)
    x = jnp.cos(0.13 * jnp.arange(B * size * size * 3, dtype=jnp.float32)).reshape(B, size, size, 3)
    shapes = [jax.eval_shape(net.init, jax.random.key(0), given, label) for net, given in ((g, z), (d, x))]
    (g_params, g_aux), (d_params, d_aux) = shapes
    return (
        (z, x),
        tuple(battery.scattered(params, equalized) for params in (g_params, d_params)),
        tuple(jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), aux) for aux in (g_aux, d_aux)),
    )


def model_program(name, label):
    """Everything that is asked of a pair: both dtypes, both players' gradients, and whether samples see each other."""
    (g, d, _), (low_g, low_d, _) = networks(name), networks(name, dtype='bfloat16')

    def judge(params, aux, images, net=d):
        output, aux = net.apply(params, aux, images, label)
        return as_verdict(output), aux

    def run(inputs, params, aux):
        (z, x), (g_params, d_params), (g_aux, d_aux) = inputs, params, aux

        def g_loss(params):
            fake, new = g.apply(params, g_aux, z, label)
            return jnp.mean(jax.nn.softplus(-judge(d_params, d_aux, fake)[0].logits)), (fake, new)

        def d_loss(params, images):
            verdict, new = judge(params, d_aux, images)
            further = 0.0 if verdict.auxiliary is None else jnp.mean(verdict.auxiliary)
            return jnp.mean(jax.nn.softplus(-verdict.logits)) + further, (verdict.logits, new)

        g_gradient, (fake, g_new) = jax.grad(g_loss, has_aux=True)(g_params)
        (d_gradient, x_gradient), (logits, d_new) = jax.grad(d_loss, (0, 1), has_aux=True)(d_params, x)
        others = x.at[1:].set(0.1 - 0.5 * x[1:])
        return {
            'outputs': (fake, logits),
            'aux': (g_new, d_new),
            'low': (low_g.apply(g_params, g_aux, z, label)[0], judge(d_params, d_aux, x, low_d)[0].logits),
            'gradients': (g_gradient, d_gradient, x_gradient),
            'others': judge(d_params, d_aux, others)[0].logits,
            'inferred': [
                battery.logits_of(d.infer(d_params, d_aux, images, label)) for images in (x, others)
            ],
        }

    return jax.jit(run)


@pytest.mark.parametrize('name', battery.slow_but(('dcgan', 'mlp'), build.MODELS))
def test_model(name):
    g, d, size = networks(name)
    label = jnp.arange(B) % 3
    inputs, params, aux = shaped(
        g, d, latents(name), size, label, hasattr(build.MODELS[name][0], 'equalized')
    )
    found = battery.assert_pure(model_program(name, label), inputs, params, aux)
    fake, logits = found['outputs']
    assert fake.shape == (B, size, size, 3) and logits.shape == (B,)
    assert battery.dtypes(found['outputs']) == battery.dtypes(found['low']) == {'float32'}
    assert battery.dtypes(params) == battery.dtypes(found['gradients']) == {'float32'}
    assert battery.shapes(found['aux']) == battery.shapes(aux)
    battery.assert_finite(found, name)
    for low, high in zip(found['low'], found['outputs']):
        scale = max(float(jnp.abs(high).max()), 1e-2)
        off = float(jnp.abs(low - high).max()) / scale
        assert 0.0 < off < 0.1, f'{name} in bfloat16 is off by {off}'  # computed in it, and near
    for gradient in found['gradients']:
        assert np.mean([bool((leaf != 0).any()) for leaf in jax.tree.leaves(gradient)]) > 0.9
    assert float(np.ptp(fake, axis=0).max()) > 0  # different latents, different images
    # in training a sample sees another where that is declared, and after training nowhere
    declared = build.mixes_samples(tiny(name)[0])
    assert (float(jnp.abs(logits[0] - found['others'][0])) > 1e-6) == declared
    one, other = found['inferred']
    assert bool((one != other)[1:].all())
    assert declared or float(jnp.abs(one[0] - other[0])) < 1e-6


def options(name):
    """Every other value of a family's switches: fields that are booleans or one of several words."""
    default = tiny(name)[0]
    for field, kind in typing.get_type_hints(KINDS[name]).items():
        values = (False, True) if kind is bool else typing.get_args(kind) if is_choice(kind) else ()
        yield from ({field: value} for value in values if value != getattr(default, field))


def is_choice(kind):
    return typing.get_origin(kind) is typing.Literal


@pytest.mark.parametrize('name', battery.slow_but(('dcgan', 'fastgan', 'mlp', 'transformer'), build.MODELS))
def test_model_options_have_the_shapes(name):
    """With and without classes, and for each value of each switch: shapes and dtypes, without computing."""
    refused = 0
    for classes, changes in ((0, {}), *((3, option) for option in options(name))):
        label = jax.ShapeDtypeStruct((B,), jnp.int32) if classes else None

        def run(key, label):
            g, d, _ = networks(name, classes, **changes)
            z = latents(name, **changes)(key, B)
            fake, _ = g.apply(*g.init(key, z, label), z, label)
            output, _ = d.apply(*d.init(key, fake, label), fake, label)
            return fake, battery.logits_of(output)

        size = TINY[name].get('size', 16)
        try:
            fake, logits = jax.eval_shape(run, jax.random.key(0), label)
        except InputError:  # a switch may not go with the others
            refused += 1
            continue
        assert (fake.shape, logits.shape) == ((B, size, size, 3), (B,)), changes
        assert fake.dtype == logits.dtype == jnp.float32
    assert refused <= len(list(options(name))) // 2


def has_auxiliary(discriminator, batch):
    """Whether a discriminator returns a loss of its own."""

    def run(key):
        inputs = batch['image'], batch['label']
        return discriminator.apply(*discriminator.init(key, *inputs), *inputs)[0]

    return as_verdict(jax.eval_shape(run, jax.random.key(0))).auxiliary is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'dtype'),
    [
        *((name, 'float32') for name in sorted(build.MODELS)),
        *((name, 'bfloat16') for name in ('dcgan', 'mlp', 'r3gan', 'stylegan2')),  # others: test_precision
    ],
)
def test_model_trains_for_twenty_steps(name, dtype):
    """From two seeds at once, by the relativistic loss with R1 and R2, so with second derivatives; and stopping changes no bit."""
    adam = Optimizer((1e-3, 1e-3), 0.0, (0.99, 0.99))
    model, size = tiny(name)
    config = Config(model=model, g_optimizer=adam, d_optimizer=adam, ema=Ema((100.0, 100.0)), dtype=dtype)
    g, d = build.build_networks(model, size, 3, 3, dtype)
    image = jax.random.uniform(jax.random.key(1), (B, size, size, 3), minval=-1.0)
    batch = {'image': image, 'label': jnp.arange(B) % 3}
    penalties = ['r1', 'r2', *(['auxiliary_real'] if has_auxiliary(d, batch) else [])]
    config = dataclasses.replace(config, penalties=tuple(Penalty(one, (0.1, 0.1)) for one in penalties))
    recipe = build.build_recipe(config)
    train = scan_steps(build.build_step(config, g, d, recipe), lambda data, state, i: data, 20)

    def begin(seed):
        start = init_state(jax.random.key(seed), g, d, recipe, batch)
        z = recipe.latents(jax.random.key(1), B)
        outputs = [
            net.apply(player.params, player.aux, x, batch['label'])
            for net, player, x in ((g, start.g, z), (d, start.d, image))
        ]
        return start, outputs

    proceed = jax.jit(jax.vmap(lambda state, count: train(state, batch, count)))
    start, outputs = jax.jit(jax.vmap(begin))(jnp.array([0, 0, 1]))
    state, metrics = proceed(start, jnp.array([1, 20, 20]))
    found = start, outputs, (state, metrics)
    # stopped after 9 or 16 steps and continued from what was on the host: the same bits (of the same place in the map)
    stopped = battery.stored(proceed(start, jnp.array([1, 9, 16]))[0])
    continued, _ = proceed(stopped, jnp.array([19, 11, 4]))
    battery.assert_same(*(jax.tree.map(lambda leaf: leaf[1:], one) for one in (continued, state)))
    battery.assert_finite(found, name)
    assert state.images_seen.tolist() == [B, 20 * B, 20 * B]
    for norm in ('d/grad_norm', 'g/grad_norm'):
        assert (metrics[norm] > 0).all()
    for before, after in ((start.g, state.g), (start.d, state.d)):
        pairs = zip(jax.tree.leaves(before.params), jax.tree.leaves(after.params))
        assert (
            np.mean([bool((a[1] != b[1]).any()) for a, b in pairs]) > 0.5
        )  # not D's last bias, and what only an auxiliary loss sees
        leaves = [
            leaf for leaf in jax.tree.leaves(before.params) if bool((leaf[0] != leaf[0].ravel()[0]).any())
        ]
        differ = [bool((leaf[1] != leaf[2]).any()) for leaf in leaves]
        assert np.mean(differ) > 0.8  # by the seed; all but tables, such as a transformer's positions
    one = battery.first((start, outputs))
    eager_g = battery.assert_pure(
        g.apply, one[0].g.params, one[0].g.aux, recipe.latents(jax.random.key(1), B), batch['label']
    )
    eager_d = battery.assert_pure(d.apply, one[0].d.params, one[0].d.aux, image, batch['label'])
    if dtype == 'float32':
        battery.assert_close([eager_g, eager_d], one[1])
    for a, b in zip(jax.tree.leaves([eager_g, eager_d]), jax.tree.leaves(one[1])):
        # a compiled program rounds less often: seen in single values behind normalizations over four samples, not in the mean
        off = np.mean(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)))
        assert off < 0.02 * max(1.0, np.abs(b).max())


@pytest.mark.parametrize('name', sorted(build.MODELS))
def test_model_is_documented_and_typed(name):
    for cls in build.MODELS[name]:
        module = importlib.import_module(cls.__module__)
        assert battery.cites(cls.__doc__, module.__doc__), f'{cls.__name__}: a reference and a place in it'
        for field in dataclasses.fields(cls):
            if field.name not in ('parent', 'name'):
                assert f'{field.name}: ' in cls.__doc__, f'{cls.__name__} does not document {field.name}'
    generator, discriminator = (battery.annotations(cls.__call__) for cls in build.MODELS[name])
    assert battery.is_typed(generator['return']), 'the generator returns Images'
    samples = next(iter(discriminator.values()))
    assert battery.is_typed(samples), 'the discriminator takes Images'
    assert battery.is_typed(discriminator['return']), 'the discriminator returns Logits or a Verdict'


# losses

LOGITS = jnp.array([[-40.0, -1.5, 0.0, 0.3, 60.0, 3e4], [50.0, 0.7, 0.0, -2.0, -80.0, -3e4]])


@pytest.mark.parametrize('name', battery.slow_but(set(build.LOSSES) - {'dual_contrastive'}, build.LOSSES))
def test_loss(name):
    loss = build.LOSSES[name]

    def run(seed):
        real, fake = LOGITS + 0.1 * seed.astype(jnp.float32)
        low = jnp.clip(LOGITS, -100.0, 100.0).astype(jnp.bfloat16)
        return {
            'values': [player(real, fake) for player in loss],
            'low': [player(*low) for player in loss],
            'gradients': [
                jax.grad(lambda r, f, player=player: jnp.sum(player(r, f)), (0, 1))(real, fake)
                for player in loss
            ],
            'near': [
                jax.grad(lambda f, player=player: jnp.sum(player(jnp.full(3, 0.1), f)))(jnp.full(3, -0.1))
                for player in loss
            ],
        }

    found = battery.assert_pure(battery.mapped(run), jnp.arange(battery.SEEDS))
    assert [value.shape for value in found['values']] == [(battery.SEEDS, 6)] * 2
    assert battery.dtypes(found['values']) == {'float32'} and battery.dtypes(found['low']) == {'bfloat16'}
    battery.assert_finite(found, name)
    battery.assert_close(battery.assert_pure(run, jnp.int32(0)), battery.first(found), 1e-2)
    real, fake = LOGITS
    battery.assert_close([player(real, fake) for player in loss], battery.first(found['values']), 1e-6)
    d, g = found[
        'near'
    ]  # where D says 0.1 of real and -0.1 of fake samples, it lowers the latter, and G raises them
    assert (d >= -0.2).all() and (g < 0).all()


@pytest.mark.parametrize('name', sorted(build.LOSSES))
def test_loss_is_documented_and_typed(name):
    doc = battery.attribute_docs(losses)[name]
    assert battery.has_formula(doc) and battery.cites(doc)
    for player in build.LOSSES[name]:
        assert all(map(battery.is_typed, battery.annotations(player).values()))


# penalties

SHAPE = (8, 8, 3)
STEP = 1e-2  # of finite differences
SIGMA = {
    'approximate_r1': 0.1,
    'approximate_r2': 0.1,
}  # of 0.01, what bfloat16 rounds is more than the difference
D_ONLY = ('zcr',)  # what else G makes is a constant to it


def penalty_of(name):
    """A penalty as a configuration makes it."""
    field = 'g_penalties' if build.PENALTIES[name] in regularizers.FAKE_ONLY else 'penalties'
    recipe = build.build_recipe(
        dataclasses.replace(Config(penalties=()), **{field: (Penalty(name, sigma=SIGMA.get(name)),)})
    )
    return (*recipe.d_regularizers, *recipe.g_regularizers)[0]


@functools.cache
def penalty_inputs():
    """Both players' parameters at seven points, which one program maps over, and the rest that a critic is made of.

    Two seeds; a step back and forth along a direction of each player's from the first; and a critic that is flat.
    """
    g, d = battery.toy_pair(SHAPE)
    image = jnp.zeros((B, *SHAPE))

    @jax.jit
    def make(key):
        keys = jax.random.split(key, 3)
        one, two, way = (
            {'g': g.init(k, jnp.zeros((B, 4)), None)[0], 'd': d.init(k, image, None)[0]} for k in keys
        )
        moved = [
            one | {player: jax.tree.map(lambda a, b, t=t: a + t * b, one[player], way[player])}
            for player in ('d', 'g')
            for t in (-STEP, STEP)
        ]
        points = [one, two, *moved, jax.tree.map(jnp.zeros_like, one)]
        a, b, c, e = jax.random.split(keys[0], 4)
        x = {'label': jnp.arange(B) % 3, 'latents': normal(4)(a, B), 'view_keys': jax.random.split(b, B)}
        real = jax.random.uniform(c, (B, *SHAPE), minval=-1.0)
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *points), way, x, real, jax.random.split(e, B)

    return make(jax.random.key(7))


def penalty_value(member, pair):
    """A penalty as a function of both players' parameters: as one of D with a critic that holds all it may ask for."""
    g, d = pair
    recipe = Recipe(losses.relativistic, optax.sgd(0.1), optax.sgd(0.1), normal(4), (member,))
    extra = {} if member.memory is None else {member.memory.name: member.memory.initial}
    zero, nobody = jnp.int32(0), Player({}, {}, {})
    extra = jax.tree.map(jnp.asarray, extra)
    state = GanState(zero, zero, jax.random.key(0), nobody, nobody, Average({}, {}), extra)

    def value(players, x, real, keys):
        bound = critic.bind_generator(g, players['g'], {}, x)
        made = critic.make_critic(d, recipe, players['d'], {}, x, state)
        made = made._replace(generator=bound, trained=players)
        return member.penalty(made, real, bound.apply(x['latents']), keys)

    return value


@pytest.mark.parametrize('name', battery.slow_but(('r2', 'wgan_gp', 'zcr'), build.PENALTIES))
def test_penalty(name):
    member = penalty_of(name)
    value = penalty_value(member, battery.toy_pair(SHAPE))
    low = penalty_value(member, battery.toy_pair(SHAPE, dtype=jnp.bfloat16))
    points, way, *inputs = penalty_inputs()

    def run(players):
        def mean(players):
            values = value(players, *inputs)
            return jnp.mean(values), values

        (total, values), gradient = jax.value_and_grad(mean, has_aux=True)(players)
        slopes = {
            player: sum(jax.tree.leaves(jax.tree.map(jnp.vdot, gradient[player], way[player])))
            for player in way
        }
        others = [given.at[1:].set(given[::-1][1:]) for given in inputs[1:]]
        return {
            'total': total,
            'values': values,
            'gradient': gradient,
            'slopes': slopes,
            'low': low(players, *inputs),
            'others': value(players, inputs[0], *others),
        }

    found = battery.assert_pure(battery.mapped(run), points)
    values = found['values']
    assert values.shape in ((7, B), (7,))
    assert battery.dtypes(found) == {'float32'}
    battery.assert_finite(found, name)  # also where the critic is flat, and in bfloat16
    scale = 1.0 + float(jnp.abs(values[0]).max())
    assert float(jnp.abs(found['low'][0] - values[0]).max()) < 0.2 * scale
    for player, place in (('d', 2), ('g', 4)):
        numeric = (found['total'][place + 1] - found['total'][place]) / (2 * STEP)
        if player == 'd' or name not in D_ONLY:
            np.testing.assert_allclose(found['slopes'][player][0], numeric, rtol=0.02, atol=2e-3 * scale)
    battery.assert_close(battery.assert_pure(value, battery.first(points), *inputs), values[0])
    for player, without in (('g', regularizers.REAL_ONLY), ('d', regularizers.FAKE_ONLY)):
        enters = any(bool((leaf != 0).any()) for leaf in jax.tree.leaves(found['gradient'][player]))
        assert enters == (
            build.PENALTIES[name] not in without
        )  # the tables by which a configuration is refused
    if values.ndim == 2:  # a value belongs to one sample
        battery.assert_close(found['others'][:, 0], values[:, 0], 1e-5)


@pytest.mark.parametrize('name', sorted(build.PENALTIES))
def test_penalty_is_documented_and_typed(name):
    member = build.PENALTIES[name]
    doc = battery.attribute_docs(regularizers)[name] if isinstance(member, Regularizer) else member.__doc__
    assert battery.has_formula(doc) and battery.cites(doc)
    typed = battery.annotations(penalty_of(name).penalty)
    assert all(battery.is_typed(typed[given]) for given in ('real', 'fake', 'keys', 'return'))


# augmentations


def test_a_configuration_takes_every_augmentation():
    names = typing.get_args(typing.get_args(typing.get_type_hints(Config)['augment'])[0])
    assert set(names) == set(build.AUGMENTATIONS)


def augmentation(name):
    return build.build_recipe(dataclasses.replace(Config(), augment=(name,), augment_p=(1.0, 1.0)))


@pytest.mark.parametrize(
    'name', battery.slow_but(set(build.AUGMENTATIONS) - {'color', 'cutout'}, build.AUGMENTATIONS)
)
def test_augmentation(name):
    recipe = augmentation(name)
    shape = (16, 16, 3)
    state = jax.jit(
        lambda key: init_state(key, *battery.toy_pair(shape), recipe, {'image': jnp.zeros((B, *shape))})
    )(jax.random.key(0))

    def run(seed):
        key = jax.random.key(seed)
        images, keys = jax.random.uniform(key, (B, *shape), minval=-1.0), jax.random.split(key, B)
        out = recipe.augment(keys, images, state)
        order = jnp.arange(B)[::-1]
        return {
            'images': images,
            'out': out,
            'permuted': recipe.augment(keys[order], images[order], state)[order],
            'gradient': jax.grad(lambda x: jnp.sum(jnp.square(recipe.augment(keys, x, state))))(images),
            'low': recipe.augment(keys, images.astype(jnp.bfloat16), state),
        }

    found = battery.assert_pure(battery.mapped(run), jnp.arange(battery.SEEDS))
    assert found['out'].shape == found['images'].shape
    assert found['out'].dtype == jnp.float32 and found['low'].dtype == jnp.bfloat16
    battery.assert_finite(found, name)
    assert float(jnp.abs(found['gradient']).max()) > 0
    assert float(jnp.abs(found['out'] - found['images']).max()) > 0
    battery.assert_close(found['permuted'], found['out'], 1e-6)  # a sample is augmented by its own key
    images, keys = found['images'][0], jax.random.split(jax.random.key(0), B)
    battery.assert_close(battery.assert_pure(recipe.augment, keys, images, state), found['out'][0])


@pytest.mark.parametrize('name', sorted(build.AUGMENTATIONS))
def test_augmentation_is_documented_and_typed(name):
    function = build.AUGMENTATIONS[name]
    assert battery.cites(function.__doc__, importlib.import_module(function.__module__).__doc__)
    assert all(map(battery.is_typed, battery.annotations(function).values()))


# trainings

TRAININGS = {
    **{name: (name, ()) for name in build.STEPS},
    **{name: ('two_stage', (name,)) for name in extensions.__all__},
}


def training_recipe(*extended):
    sgd = optax.sgd(0.05)
    penalties = (Regularizer(regularizers.r1, 0.1), Regularizer(regularizers.r2, 0.1, every=2))
    return Recipe(losses.relativistic, sgd, sgd, normal(4), penalties, ema=lambda *_: jnp.float32(0.5),
                  extensions=tuple(EXTENSIONS[one]() for one in extended))  # fmt: skip


@functools.cache
def training_start():
    """A batch, and states of the seeds 0, 0 and 1."""
    batch = {'image': jax.random.normal(jax.random.key(1), (8, 4)), 'label': jnp.arange(8) % 3}
    start = functools.partial(
        init_state, generator=PAIR[0], discriminator=PAIR[1], recipe=training_recipe(), batch=batch
    )
    return batch, jax.jit(jax.vmap(lambda seed: start(jax.random.key(seed))))(jnp.array([0, 0, 1]))


PAIR = battery.toy_pair((4,))


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted(TRAININGS))
def test_training(name):
    """One program, mapped over seeds and numbers of steps: 1, 20 and 20; and a stop after any of 16 steps changes no bit."""
    training, extended = TRAININGS[name]
    recipe = training_recipe(*extended)
    step = build.STEPS[training](*PAIR, recipe)
    batch, start = training_start()
    remembered = {memory.name: memory.initial for memory in memories(recipe)}
    start = start.replace(extra=jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * 3), remembered))
    train = scan_steps(step, lambda data, state, i: data, 20)
    run = jax.jit(jax.vmap(train, in_axes=(0, None, 0)))

    state, metrics = battery.assert_pure(run, start, batch, jnp.array([1, 20, 20]))
    assert jax.tree.structure(state) == jax.tree.structure(start)
    assert battery.shapes(state) == battery.shapes(start)
    battery.assert_finite((state, metrics), name)
    wanted = {'d/loss', 'd/real', 'd/fake', 'd/r1', 'd/r2', 'd/grad_norm', 'g/loss', 'g/grad_norm'}
    assert wanted <= set(metrics)
    assert (state.step.tolist(), state.images_seen.tolist()) == ([1, 20, 20], [8, 160, 160])
    battery.assert_same(state.key, start.key)  # the root key never advances
    for before, after in ((start.g, state.g), (start.d, state.d), (start.g_ema, state.g_ema)):
        pairs = zip(jax.tree.leaves(before.params), jax.tree.leaves(after.params))
        assert sum(bool((a[1] != b[1]).any()) for a, b in pairs) >= 3  # not D's last bias and its classifier
    for count in range(1, 17):
        stopped = battery.stored(run(start, batch, jnp.array([1, count, 17 - count]))[0])
        continued, _ = run(stopped, batch, jnp.array([1, 20 - count, 3 + count]))
        battery.assert_same(*(jax.tree.map(lambda leaf: leaf[1:], one) for one in (continued, state)))
    eager, values = battery.assert_pure(step, battery.first(start), batch)
    battery.assert_close((eager, values), battery.first((state, metrics)))


@pytest.mark.parametrize('name', sorted(TRAININGS))
def test_training_is_documented(name):
    function = build.STEPS.get(name) or getattr(extensions, name)
    module = importlib.import_module(function.__module__)
    assert function.__doc__
    if name != 'two_stage':  # the usual step is everybody's
        assert battery.cites(function.__doc__, module.__doc__)
