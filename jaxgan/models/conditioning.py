"""How labels reach a network: conditional batch normalization in generators, heads of discriminators; self-attention."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.errors import InputError, unknown
from jaxgan.models.layers import Conv, Dense, Embed, fan_in_normal, leaky_relu, spread
from jaxgan.types import Verdict


def batch_norm(x: Any, train: bool, affine: bool = True) -> Any:
    """Normalize by Flax's batch normalization: statistics in float32, momentum 0.9, epsilon 1e-5; part of the caller.

    With ``train`` the batch's statistics are used and move the running ones; without, the running ones are used.
    """
    norm = nn.BatchNorm(
        use_running_average=not train, momentum=0.9, use_bias=affine, use_scale=affine, dtype=x.dtype
    )
    with jax.numpy_dtype_promotion('standard'):  # Flax computes the statistics in float32 by promotion
        return norm(x)


class ConditionalBatchNorm(nn.Module):
    """Normalize over batch and positions, then scale and shift by what a condition c says.

    ``y = (1 + W_g c) (x - mean) / sqrt(var + 1e-5) + W_b c``, where c is a class, and then the maps are tables of one
    row a class, or a vector, such as an embedding that all layers share joined with a part of the latent. Without a
    condition the gain and the bias are learned, one a feature.

    Attributes:
        classes: the number of classes where the condition is a label [B]; 0: it is a vector [B, K], or ``None``.
        kernel_init: of both maps; zeros, so that training starts from plain normalization, or those of BigGAN.

    References:
        De Vries et al. 2017, arXiv 1707.00683, section 3; Dumoulin et al. 2017, arXiv 1610.07629, equation 5;
        Brock et al. 2018, arXiv 1809.11096, appendix B (shared embedding, latent chunks, centred gains).
    """

    classes: int = 0
    kernel_init: Callable = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: Any, condition: Any = None, *, train: bool = True) -> Any:
        """Map [B, H, W, C] and a condition to the same shape."""
        if not self.classes and condition is None:
            return batch_norm(x, train)
        gain, bias = (self._map(name, x.shape[-1], condition) for name in ('gain', 'bias'))
        y = batch_norm(x, train, affine=False)
        return y * spread(1.0 + gain, y) + spread(bias, y)

    def _map(self, name: str, features: int, condition: Any) -> Any:
        if self.classes:
            found = Embed(self.classes, features, self.kernel_init, name=name)(condition)
        else:
            found = Dense(features, use_bias=False, kernel_init=self.kernel_init, name=name)(condition)
        return found[:, None, None, :]


class SelfAttention(nn.Module):
    """Add to each position what the others hold: ``x + gamma W_o sum_j softmax_j(theta_i . phi_j) g_j``.

    ``theta``, ``phi`` (an eighth of the features) and ``g`` (half) are 1x1 convolutions of x without bias; phi and g
    are max-pooled by two, so that j runs over a quarter of the positions. ``gamma`` starts at 0, so the layer starts as the
    identity.

    Attributes:
        kernel_init: of the four convolutions.
        dtype: of the computation; the softmax is in float32.

    Raises:
        InputError: there are fewer than 8 features, or an odd side.

    References:
        Zhang et al. 2018, Self-attention generative adversarial networks, arXiv 1805.08318, equations 1 to 3; the
        widths and the pooling are those of the authors' networks and of BigGAN.
    """

    kernel_init: Callable = fan_in_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to the same shape."""
        batch, height, width, features = x.shape
        if features < 8 or height % 2 or width % 2:
            raise InputError(
                f'self-attention on {features} features of {height} x {width} needs at least 8 and even sides: '
                'take wider networks or another --model.attention'
            )

        def project(name: str, features: int, x: Any) -> Any:
            return Conv(
                features, (1, 1), use_bias=False, kernel_init=self.kernel_init, dtype=self.dtype, name=name
            )(x)

        theta = project('theta', features // 8, x).reshape(batch, height * width, -1)
        phi = max_pool(project('phi', features // 8, x)).reshape(batch, height * width // 4, -1)
        g = max_pool(project('g', features // 2, x)).reshape(batch, height * width // 4, -1)
        scores = jnp.einsum('bic,bjc->bij', theta, phi, preferred_element_type=jnp.float32)
        mixed = jnp.einsum('bij,bjc->bic', jax.nn.softmax(scores, axis=-1).astype(g.dtype), g)
        out = project('out', features, mixed.reshape(batch, height, width, -1))
        gamma = self.param('gamma', nn.initializers.zeros, (), jnp.float32)
        return x + spread(gamma, x) * out.astype(x.dtype)


def max_pool(x: Any) -> Any:
    """Keep the largest of each 2x2 pixels; written so that it can be differentiated twice."""
    batch, height, width, features = x.shape
    return jnp.max(x.reshape(batch, height // 2, 2, width // 2, 2, features), axis=(2, 4))


class Head(nn.Module):
    """Turn a discriminator's last features into its verdict on samples and labels.

    Without classes the logit is linear in the features. With classes the label enters by one of

    - ``'projection'``: the logit gets the inner product of the features with the label's embedding (Miyato and Koyama
      2018, arXiv 1802.05637, equation 3);
    - ``'concatenation'``: the label's embedding is joined to the features, and a hidden layer with a leaky ReLU lets the
      two meet before the linear map (Mirza and Osindero 2014, arXiv 1411.1784; Reed et al. 2016, arXiv 1605.05396);
    - ``'auxiliary'``: the label does not change the logit; ``auxiliary`` is the cross-entropy of a linear classifier of the
      features (AC-GAN; Odena et al. 2016, arXiv 1610.09585, equation 3);
    - ``'d2d_ce'``: likewise, with the data-to-data cross-entropy of normalized embeddings, see ``d2d_cross_entropy``
      (ReACGAN; Kang et al. 2021, arXiv 2111.01118).

    Attributes:
        classes: 0, or the number of classes.
        conditioning: one of the four.
        kernel_init: of the linear maps.
        embedding_init: of the label's embedding.
        embedded: size of D2D-CE's embeddings.
        dtype: of the linear maps; everything behind them is in float32.

    Raises:
        InputError: the conditioning is unknown.
    """

    classes: int = 0
    conditioning: str = 'projection'
    kernel_init: Callable = fan_in_normal()
    embedding_init: Callable = fan_in_normal()
    embedded: int = 512
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, pooled: Any, label: Any = None, evidence: Any = None) -> Any:
        """Map features and labels to logits [B], or to a ``Verdict``.

        Args:
            pooled: [B, C], where the label meets the features.
            label: [B], where there are classes.
            evidence: [B, F], what the label-free logit is linear in (default: as ``pooled``).
        """
        if self.conditioning not in CONDITIONINGS:
            raise unknown('conditioning', self.conditioning, CONDITIONINGS)
        evidence = pooled if evidence is None else evidence
        judge = CONDITIONINGS[self.conditioning] if self.classes else _by_evidence
        return judge(self, evidence, pooled, label)

    def linear(self, features: int, x: Any, name: str | None = None) -> Any:
        """Map linearly to float32."""
        layer = Dense(features, kernel_init=self.kernel_init, dtype=self.dtype, name=name)
        return layer(x).astype(jnp.float32)


class Conditioned:
    """What follows from a discriminator's ``classes`` and ``conditioning``; a discriminator inherits it."""

    classes: int
    conditioning: str

    @property
    def returns_auxiliary(self) -> bool:
        """Whether the discriminator returns a ``Verdict``: a loss of its own besides the logits."""
        return bool(self.classes) and self.conditioning in ('auxiliary', 'd2d_ce')

    @property
    def mixes_samples(self) -> bool:
        """Whether what a sample gets depends on others: with D2D-CE its auxiliary loss does."""
        return bool(self.classes) and self.conditioning == 'd2d_ce'


def _by_evidence(head: Head, evidence: Any, pooled: Any, label: Any) -> Any:
    del pooled, label
    return head.linear(1, evidence)[:, 0]


def _project(head: Head, evidence: Any, pooled: Any, label: Any) -> Any:
    embedding = Embed(head.classes, pooled.shape[-1], head.embedding_init)
    return head.linear(1, evidence)[:, 0] + jnp.sum(pooled.astype(jnp.float32) * embedding(label), axis=-1)


def _concatenate(head: Head, evidence: Any, pooled: Any, label: Any) -> Any:
    features = pooled.shape[-1]
    embedding = Embed(head.classes, features, head.embedding_init)(label).astype(evidence.dtype)
    joined = jnp.concatenate([evidence, embedding], axis=-1)
    return head.linear(1, leaky_relu(head.linear(features, joined, 'join')))[:, 0]


def _classify(head: Head, evidence: Any, pooled: Any, label: Any) -> Verdict:
    _require(head, label)
    scores = jax.nn.log_softmax(head.linear(head.classes, pooled, 'classifier'))
    return Verdict(head.linear(1, evidence)[:, 0], -jnp.take_along_axis(scores, label[:, None], axis=1)[:, 0])


def _compare(head: Head, evidence: Any, pooled: Any, label: Any) -> Verdict:
    embedded = head.linear(head.embedded, pooled, 'embed')
    proxies = Embed(head.classes, head.embedded, head.embedding_init)(label)
    return Verdict(head.linear(1, evidence)[:, 0], d2d_cross_entropy(embedded, proxies, label))


CONDITIONINGS = {
    'projection': _project,
    'concatenation': _concatenate,
    'auxiliary': _classify,
    'd2d_ce': _compare,
}


def _require(head: Head, label: Any) -> None:
    if label is None:
        raise InputError(f'this network is conditional on {head.classes} classes and was given no label')


def d2d_cross_entropy(
    embedded: Any, proxies: Any, labels: Any, margin: float = 0.98, temperature: float = 0.5
) -> Any:
    """Compare each sample with its class's proxy and with the samples of other classes.

    With all vectors normalized, h_i a sample's and v_i its proxy,
    ``-log(p_i / (p_i + sum_j exp(max(h_i . h_j - (1 - m), 0) / t)))``, ``p_i = exp(min(h_i . v_i - m, 0) / t)``,
    j over the samples whose class is not i's: pairs that are far enough, or near enough, add nothing to the gradient.
    A sample's value depends on its neighbours: microbatches, which see fewer samples, change the loss.

    Args:
        embedded: [B, E].
        proxies: [B, E], of each sample's class.
        labels: [B].
        margin: m, of the similarity with the proxy; that between samples is 1 - m.
        temperature: t.

    Returns:
        [B].

    References:
        Kang et al. 2021, Rebooting ACGAN, arXiv 2111.01118 (D2D-CE); the constants are those of its CIFAR-10 runs.
    """
    embedded, proxies = _normalize(embedded), _normalize(proxies)
    attraction = jnp.minimum(jnp.sum(embedded * proxies, axis=-1) - margin, 0.0) / temperature
    repulsion = jnp.maximum(embedded @ embedded.T - (1.0 - margin), 0.0) / temperature
    repulsion = jnp.where(labels[:, None] == labels[None, :], -jnp.inf, repulsion)
    everything = jnp.concatenate([attraction[:, None], repulsion], axis=1)
    return jax.nn.logsumexp(everything, axis=1) - attraction


def _normalize(x: Any) -> Any:
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=-1, keepdims=True), 1e-24))
