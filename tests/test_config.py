"""Configurations: exact JSON round trips, strict reading, checks, differences, and every recipe that ships."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgan import build
from jaxgan.config import Config, Ema, Optimizer, PathLength, Penalty, check
from jaxgan.configjson import differences, from_dict, to_dict, to_json
from jaxgan.data import DataConfig
from jaxgan.errors import InputError
from jaxgan.modelconfig import DCGAN, R3GAN, StyleGAN2
from jaxgan.recipes import load_recipe

CONFIGS = Path(__file__).parent.parent / 'configs'

OTHER = Config(
    data=DataConfig('folder:x', size=32, flip=True),
    model=R3GAN(widths=(8, 8, 8), groups=(2, 2, 2)),
    penalties=(Penalty('wgan_gp', (10.0, 10.0), 2),),
    augment=('color', 'cutout'),
    g_optimizer=Optimizer((1e-3, 1e-4), 0.5, (0.9, 0.99), 1.0),
    ema=Ema((0.0, 5.0), None),
    images=123,
    training='one_stage',
)


@pytest.mark.parametrize('config', [Config(), OTHER], ids=['default', 'other'])
def test_json_round_trip(config):
    assert from_dict(json.loads(to_json(config))) == config
    assert to_dict(config)['model']['kind'] in ('dcgan', 'r3gan')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'batch_siz': 3}, "unknown config key 'batch_siz'; did you mean 'batch_size'?"),
        ({'batch_size': '64'}, "config.batch_size '64' must be int"),
        ({'batch_size': True}, 'config.batch_size True must be int'),
        ({'training': 'one_stag'}, "unknown config.training 'one_stag'; did you mean 'one_stage'?"),
        ({'training': 'onestage'}, "unknown config.training 'onestage'; did you mean 'one_stage'?"),
        ({'model': {'kind': 'dcgen'}}, "unknown config.model kind 'dcgen'; did you mean 'dcgan'?"),
        (
            {'model': {'kind': 'r3gan', 'width': 3}},
            "unknown config.model key 'width'; did you mean 'widths'?",
        ),
        ({'burn_in': None}, 'config.burn_in None must be int'),
        ({'augment_p': [1.0]}, r'config.augment_p [1.0] must have 2 values'),
        ({'augment': 'color'}, "config.augment 'color' must be a list"),
        ({'data': 3}, 'config.data 3 must be an object'),
    ],
)
def test_reading_is_strict(change, message):
    with pytest.raises(InputError) as error:
        from_dict(to_dict(Config()) | change)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'batch_size': 0}, 'batch_size 0 must be at least 1'),
        ({'images': -5}, 'images -5 must be at least 1'),
        ({'seed': 2**32}, f'seed {2**32} must be in 0..{2**32 - 1}'),
        ({'burn_in': -1}, 'burn_in -1 must be at least 0'),
        ({'d_steps': 2, 'training': 'one_stage'}, 'd_steps 2 needs training two_stage, not one_stage'),
        ({'batch_size': 10, 'microbatches': 4}, 'batch_size 10 does not divide into 4 microbatches'),
        ({'penalties': (Penalty('r1', every=0),)}, 'penalty r1: every 0 must be at least 1'),
        ({'penalties': (Penalty('dragan', sigma=0.0),)}, 'penalty dragan: sigma 0.0 must be above 0'),
        ({'g_penalties': (Penalty('zcr'), Penalty('zcr'))}, "g_penalties name 'zcr' twice: add the weights"),
        ({'top_k': (1.0, 0.0)}, 'top_k (1.0, 0.0) must be in (0, 1]'),
        ({'images': 2**31, 'batch_size': 64}, f'images {2**31} must be below {2**31 - 65}'),
        (
            {'g_optimizer': Optimizer((-1.0, 1.0))},
            'g_optimizer.learning_rate (-1.0, 1.0) must be finite and at least 0',
        ),
        (
            {'d_optimizer': Optimizer((float('nan'), 1.0))},
            'd_optimizer.learning_rate (nan, 1.0) must be finite',
        ),
        ({'d_optimizer': Optimizer(beta2=(0.9, 1.0))}, 'd_optimizer.beta2 (0.9, 1.0) must be in [0, 1)'),
        ({'d_optimizer': Optimizer(beta1=1.5)}, 'd_optimizer.beta1 1.5 must be in [0, 1)'),
        ({'d_optimizer': Optimizer(clip=0.0)}, 'd_optimizer.clip 0.0 must be above 0'),
        ({'augment_p': (0.0, 1.5)}, 'augment_p (0.0, 1.5) must be in [0, 1]'),
        (
            {'penalties': (Penalty('r1', (float('inf'), 1.0)),)},
            'penalty r1: weight (inf, 1.0) must be finite',
        ),
        ({'model': DCGAN(width=0)}, 'model.width 0 must be at least 1'),
        ({'ema': Ema((-1.0, 0.0))}, 'ema.half_life (-1.0, 0.0) must be finite and at least 0'),
        (
            {'d_steps': 2, 'penalties': (Penalty('r1', every=4),)},
            'penalty r1: every 4 needs d_steps 1, not 2',
        ),
        ({'ada_target': 0.5}, 'ada_target 0.5 has no effect without ada'),
        (
            {'ada': ('bg',), 'ada_target': None, 'ada_images': 7},
            'ada_images 7 has no effect without ada_target',
        ),
        ({'apa_images': 7}, 'apa_images 7 has no effect without apa_target'),
        ({'augment_p': (0.0, 0.5)}, 'augment_p (0.0, 0.5) has no effect without augment or ada'),
        ({'path_length': PathLength(every=2)}, 'PathLength(weight=0.0, every=2'),
        (
            {'d_optimizer': Optimizer(lazy=16), 'penalties': (Penalty('r1', every=4),)},
            'd_optimizer.lazy 16 must be the interval of a penalty; every is [4]',
        ),
    ],
)
def test_values_that_no_run_could_use_are_refused(change, message):
    with pytest.raises(InputError) as error:
        check(dataclasses.replace(Config(), **change))
    assert str(error.value).startswith(message)


def test_differences_name_what_may_not_change_in_a_run():
    assert differences(Config(), dataclasses.replace(Config(), images=5, log_every=3, keep=9)) == []
    changed = dataclasses.replace(Config(), batch_size=32, model=dataclasses.replace(Config().model, width=7))
    found = differences(Config(), changed)
    assert any(line.startswith('batch_size: ') for line in found)
    assert any(line.startswith('model.width: ') and line.endswith('-> 7') for line in found)
    assert differences(Config(), dataclasses.replace(Config(), model=R3GAN()))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('images', 1e6), 'config.images 1000000.0 must be int'),
        (('training', 'onestage'), "unknown config.training 'onestage'"),
        (('spectral_norm', 'generator'), "unknown config.spectral_norm 'generator'"),
        (('augment', ('colour',)), "unknown config.augment[0] 'colour'"),
    ],
)
def test_a_recipe_of_other_types_is_refused(tmp_path, change, message):
    """As a run's ``config.json`` is, so that whatever starts can be continued."""
    path = tmp_path / 'mine.py'
    name, value = change
    lines = (  # a frozen record that is changed where the tests' own check of types does not see it
        'from jaxgan.config import Config',
        'def get_config():',
        '    config = Config()',
        f'    object.__setattr__(config, {name!r}, {value!r})',
        '    return config',
    )
    path.write_text('\n'.join(lines))
    with pytest.raises(InputError) as error:
        load_recipe(str(path))
    assert message in str(error.value)


def test_equalized_layers_refuse_spectral_normalization():
    with pytest.raises(InputError, match='spectral_norm both does not go with model stylegan2'):
        build.build_networks(StyleGAN2(), 16, 3, 0, 'float32', 'both')


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_every_recipe_loads_builds_and_says_what_it_reached(path):
    config = check(load_recipe(path.stem, CONFIGS))
    assert from_dict(to_dict(config)) == config
    recipe = build.build_recipe(config)
    assert len(recipe.d_regularizers) == len(config.penalties)
    text = path.read_text()
    assert f'train.py --config {path.stem}' in text


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'loss': 'hing'}, "unknown loss 'hing'; did you mean 'hinge'?"),
        (
            {'penalties': (Penalty('latent_diversity'),)},
            'penalty latent_diversity has no effect in penalties: that player',
        ),
        ({'g_penalties': (Penalty('r1'),)}, 'penalty r1 has no effect in g_penalties: that player'),
        (
            {'loss': 'least_squares', 'ada': ('bg',)},
            'ada_target needs a loss for which the sign of a logit means something, and least_squares is not symmetric',
        ),
        (
            {'loss': 'relativistic', 'apa_target': 0.6},
            'apa_target needs a loss for which the sign of a logit',
        ),
        (
            {'model': DCGAN(conditioning='concatenation')},
            'model.conditioning concatenation needs labels: give --conditional',
        ),
        (
            {
                'model': DCGAN(conditioning='auxiliary'),
                'conditional': True,
                'penalties': (Penalty('auxiliary_fake'),),
            },
            'model.conditioning auxiliary gives the discriminator a loss of its own, and none of its',
        ),
        ({'penalties': (Penalty('wgan'),)}, "unknown penalty 'wgan'; did you mean 'wgan_gp'?"),
        ({'g_penalties': (Penalty('wgan'),)}, "unknown penalty 'wgan'; did you mean 'wgan_gp'?"),
        (
            {'training': 'one_stage', 'model': DCGAN(norm='batch')},
            'training one_stage needs a discriminator that does not mix samples',
        ),
    ],
)
def test_parts_that_do_not_exist_or_fit_are_refused(change, message):
    with pytest.raises(InputError) as error:
        build.build_recipe(dataclasses.replace(Config(), **change))
    assert str(error.value).startswith(message)


def test_the_default_recipe_is_what_its_file_says():
    assert load_recipe('pixel_avatars', CONFIGS) == load_recipe(None) == Config()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1/0', 'failed: ZeroDivisionError'),
        ('def get_config(): return 3', 'must return a jaxgan.config.Config, not int'),
        ('x = 1', 'failed: AttributeError'),
        ('def get_config(:', 'failed: SyntaxError'),
    ],
)
def test_a_broken_recipe_is_one_error(tmp_path, text, message):
    path = tmp_path / 'broken.py'
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(str(path))


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(InputError, match="unknown config 'pixel_avatar'; did you mean 'pixel_avatars'"):
        load_recipe('pixel_avatar', CONFIGS)


def test_build_makes_what_the_names_say():
    """A pair's schedule moves over burn_in; clipping, penalties and augmentation are those asked for."""
    config = dataclasses.replace(OTHER, burn_in=100)
    recipe = build.build_recipe(config)
    (penalty,) = recipe.d_regularizers
    assert (penalty.penalty.__name__, penalty.every, float(penalty.weight(50))) == ('wgan_gp', 2, 10.0)
    params = {'w': jnp.zeros(2)}
    with jax.numpy_dtype_promotion('standard'):
        first, _ = optax.with_extra_args_support(recipe.g_tx).update(
            {'w': jnp.array([30.0, 40.0])}, recipe.g_tx.init(params), params, images_seen=jnp.int32(0)
        )
    assert float(first['w'][0]) == pytest.approx(-1e-3, rel=1e-4)  # Adam's first step is the learning rate
    assert float(recipe.ema(jnp.int32(0), 10)) == 0.0
    assert float(recipe.ema(jnp.int32(1000), 10)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ('model', 'size', 'message'),
    [
        (DCGAN(), 24, 'image size 24 must be a power of two and at least 16; give --data.size'),
        (DCGAN(), 8, 'image size 8 must be'),
        (
            R3GAN(),
            64,
            r'model.widths (768, 768, 768, 768) must name 5 stages, one for each side of [4, 8, 16, 32, 64]',
        ),
        (R3GAN(groups=(96, 96, 96, 7)), 32, 'model.groups 7 does not divide 1536, twice its width 768'),
    ],
)
def test_a_size_that_does_not_fit_is_refused(model, size, message):
    generator, _ = build.build_networks(model, size, 3, 0, 'float32')
    with pytest.raises(InputError) as error:
        jax.eval_shape(generator.init, jax.random.key(0), jnp.zeros((1, 64)), None)
    assert str(error.value).startswith(message)


def test_the_discriminator_may_have_its_own_width(key):
    g, d = build.build_networks(DCGAN(width=8, d_width=4, norm='none'), 16, 3, 0, 'float32')
    g_params, _ = jax.eval_shape(g.init, key, jnp.zeros((1, 64)), None)
    d_params, _ = jax.eval_shape(d.init, key, jnp.zeros((1, 16, 16, 3)), None)
    assert g_params['ConvTranspose_0']['kernel'].shape[-1] == 8
    assert d_params['Conv_0']['kernel'].shape[-1] == 4


def test_an_architecture_rebuilds_its_generator(key):
    card = build.architecture(OTHER.model, 16, 3, 4, 'bfloat16')
    assert json.loads(json.dumps(card)) == card
    g = build.build_generator(json.loads(json.dumps(card)))
    params, _ = jax.eval_shape(g.init, key, jnp.zeros((2, 64)), jnp.zeros((2,), jnp.int32))
    assert 'Embed_0' in params
    with pytest.raises(InputError, match="unknown architecture 'stylegan'"):
        build.build_generator({'kind': 'stylegan'})
