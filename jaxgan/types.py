"""The contracts: one page, read first. Shapes, signatures, and the small tuples that everything else is made of.

Images are NHWC floats in [-1, 1]; uint8 at the edges. Labels are class indices. ``images_seen`` counts the real
images that training has used so far, and every schedule is a function of it: none depends on the batch size.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float, PyTree, Shaped
from jaxtyping import Key as KeyOf

Images = Float[Array, 'b h w c']
Samples = Float[Array, 'b *shape']  # images, or points of any other shape
Logits = Float[Array, ' b']
PerSample = Float[Array, ' b']
Scalar = Float[Array, '']
Key = KeyOf[Array, '']
Keys = KeyOf[Array, ' b']  # one key a sample: its randomness does not depend on its neighbours
Params = PyTree[Shaped[Array, '...']]

Batch = Mapping[str, Any]  # 'image': [B, ...] and, where there are labels, 'label': [B]
Metrics = dict[str, Scalar]
Schedule = Callable[[Any], Any]  # images seen (scalar) -> value (scalar)
Critic = Callable[[Any], Any]  # samples [B, ...] -> logits [B]

Sampler = Callable[[Any, int], Any]
"""``latents(key, n) -> latents``: n independent latents, a tree of arrays with leading axis n."""

Augment = Callable[[Any, Any, Any], Any]
"""``augment(keys, samples, state) -> samples``: differentiable, shape-preserving, one key a sample.

``state`` is the ``GanState``: a fixed policy reads ``images_seen`` for its schedule, an adaptive one what its
controller's phase keeps in ``extra``."""

Phase = Callable[[Any, Any, Any], tuple[Any, dict[str, Any]]]
"""``phase(state, batch, key) -> (state, metrics)``: to a GAN what a gradient transformation is to Optax."""


def value_at(value: Any, images_seen: Any) -> Any:
    """Evaluate a schedule at ``images_seen``; a number stands for itself.

    >>> value_at(0.5, 100), value_at(lambda n: n * 2, 100)
    (0.5, 200)
    """
    return value(images_seen) if callable(value) else value


class StyleLatents(NamedTuple):
    """What a style-based generator may draw for a sample of training: besides z, a second style and noise.

    A latent [B, Z] alone means one style and the noise that the generator keeps in ``aux``.
    """

    z: Any  # [B, Z]
    other: Any  # [B, Z]: the style of the last layers; None: z is that of all
    crossover: Any  # [B], in [0, 1]: the part of the layers after the first that still have z's style
    noise: Any  # keys [B]

    @property
    def styles(self) -> dict[str, Any]:
        """What may move a little; the other fields are choices."""
        return {'z': self.z} if self.other is None else {'z': self.z, 'other': self.other}


class Network(NamedTuple):
    """A pure network; ``jaxgan.networks`` makes one from a Flax module or from plain functions.

    ``inputs`` are ``(latents, label)`` for a generator and ``(samples, label)`` for a discriminator; ``label`` is
    ``None`` where there are no labels. ``aux`` is what a network carries besides its parameters: batch statistics,
    spectral-norm vectors; ``{}`` for most.

    A generator with an intermediate latent w says how it is made and used, so that path lengths, truncation and
    inversion can reach it: ``synthesis(params, aux, mapping(params, aux, z, label))`` is ``infer``'s image. In training
    ``synthesis(params, aux, w, latents)`` also sees the latents from which w came, for what else they hold (noise).

    ``features``, where there are any, are what its layers make on the way to ``infer``'s output: what a discriminator sees
    in an image, what a generator's first layer makes of a latent. ``style_features`` are those of ``synthesis``, from w on.
    """

    init: Callable  # (key, *inputs) -> (params, aux)
    apply: Callable  # (params, aux, *inputs) -> (output, aux): as in training
    infer: Callable  # (params, aux, *inputs) -> output: as after training (running statistics)
    mapping: Callable | None = None  # (params, aux, z, label) -> w [B, layers, W]
    synthesis: Callable | None = None  # (params, aux, w, latents=None) -> samples
    features: Callable | None = None  # (params, aux, *inputs) -> {path: activations [B, ...]}, by layer
    style_features: Callable | None = None  # (params, aux, w [B, layers, W]) -> the same, of synthesis


class Verdict(NamedTuple):
    """What a discriminator may return instead of its logits: with them, a further loss of each sample.

    ``auxiliary`` is what the discriminator makes of the label besides its logit (the cross-entropy of an auxiliary
    classifier, D2D-CE). Nothing happens to it unless a penalty of D or of G asks for it.
    """

    logits: Any  # [B]
    auxiliary: Any  # [B]


class Loss(NamedTuple):
    """A GAN loss on logits, one value a sample; the step takes the mean, and nobody else does."""

    discriminator: Callable  # (real [B], fake [B]) -> [B]
    generator: Callable  # (real [B], fake [B]) -> [B]


class Memory(NamedTuple):
    """Something that training remembers from step to step: ``state.extra[name]``.

    After each update of D it becomes ``update(old, metrics, images)``, ``metrics`` being those of D's phase (``loss``,
    ``real`` and ``fake``: mean logits; ``real_sign`` and ``fake_sign``: means of their signs; the penalties) and
    ``images`` the number of real images in the step. Without ``update`` it belongs to a phase. What ``report`` finds
    in the new value is logged, as ``name/...``.
    """

    name: str
    initial: Any  # a tree of arrays
    update: Callable | None = None  # (old, metrics, images) -> new
    report: Callable | None = None  # value -> metrics


class Regularizer(NamedTuple):
    """A penalty on a player, its weight, how often it is computed, and what it remembers.

    ``penalty(critic, real, fake, keys)`` gives one value a sample, or one for all. ``critic`` is D with everything
    but the samples filled in (``jaxgan.critic.BoundCritic``); among G's regularizers ``fake`` depends on G's
    parameters, and the penalty reaches G through it or through ``critic.generator``.
    """

    penalty: Callable  # (critic, real, fake, keys) -> [B] or []
    weight: float | int | Schedule = 1.0
    every: int = 1  # lazy: computed each `every` steps, its weight multiplied by `every`
    memory: Memory | None = None


class Extension(NamedTuple):
    """One more thing that a step does: a function of its phases, and what they remember.

    ``phases(found, generator, discriminator, recipe) -> found`` gets the step's phases by name, in their order
    (``d``, ``g``, ``ema``; trainings that update both players at once have ``d`` and ``ema``), and returns them
    wrapped, joined by others, or in another order.
    """

    phases: Callable  # (dict of phases, generator, discriminator, recipe) -> dict of phases
    memories: tuple[Memory, ...] = ()
