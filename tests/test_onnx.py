"""Generators as ONNX, by jax2onnx from programs traced with ``ops.portable``, against JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import build
from jaxgan.modelconfig import DCGAN, R3GAN
from jaxgan.ops import portable

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings('ignore')]

MODELS = {
    'dcgan': (DCGAN(width=8), 16),
    'dcgan_plain': (DCGAN(width=8, norm='none', refine=4), 16),
    'r3gan': (R3GAN(widths=(16, 16, 8), groups=(4, 4, 2)), 16),
}


@pytest.mark.parametrize('name', sorted(MODELS))
def test_onnx_makes_the_same_images(name, key):
    jax2onnx = pytest.importorskip('jax2onnx', reason='needs the extra jaxgan[onnx]')
    onnxruntime = pytest.importorskip('onnxruntime', reason='needs the extra jaxgan[onnx]')
    model, size = MODELS[name]
    generator, _ = build.build_networks(model, size, 3, 0, 'float32')
    params, aux = generator.init(key, jnp.zeros((2, 64)), None)
    params = jax.tree.map(lambda leaf: leaf + 0.05 * jax.random.normal(key, leaf.shape), params)

    def images(z):
        return generator.infer(params, aux, z, None)

    with portable(), jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        made = jax2onnx.to_onnx(images, [jax.ShapeDtypeStruct((4, 64), jnp.float32)], model_name=name)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    z = np.asarray(jax.random.normal(key, (4, 64)))
    (found,) = session.run(None, {session.get_inputs()[0].name: z})
    np.testing.assert_allclose(found, images(jnp.asarray(z)), rtol=1e-4, atol=1e-5)
