"""``jaxgan directions``: what can be changed in a generator's images, found and shown; and the same for the studio."""

from typing import Any

from jaxgan.making.attributes import by_classifier, classifier_of
from jaxgan.making.finding import Found, by_components, by_labels, check_space
from jaxgan.opened import Generator

LEAST_AUC = 0.8  # of a direction that the studio offers
OF_ONE = 3  # directions of one attribute that it offers


def for_studio(
    generator: Generator, space: str | None = None, count: int = 12, samples: int = 10_000
) -> dict[str, Any]:
    """Find the directions that a page offers as sliders: attributes where a classifier goes with the data, else GANSpace.

    Args:
        generator: of the page.
        space: 'z' or 'w'; None: w where there are styles.
        count: at most so many: of attributes those that are told best (held-out AUC of at least 0.8), three of one attribute at most.
        samples: latents drawn to find them.

    Returns:
        As JSON: 'space', 'method' ('attributes' or 'ganspace'), 'center' (the mean code, D numbers), and 'directions', a list of
        {'name', 'vector' (D numbers, a unit vector), 'scale' (the standard deviation of codes along it), and what else is known:
        'attribute', 'value', 'auc', 'accuracy', 'share', or 'explained'}. An edit is ``code + amount scale vector``.
    """
    space = check_space(generator, space)
    if classifier_of(generator) is None:
        found = by_components(generator, space, count, samples)
        return as_json(found, range(len(found.facts)))
    found = by_labels(by_classifier(generator, space, samples)[0], space)
    return as_json(found, best(found, count))


def best(found: Found, count: int) -> list[int]:
    """Choose the attribute directions that are told best, few of one attribute, in the order of their names."""
    order = sorted(range(len(found.facts)), key=lambda k: -found.facts[k]['auc'])
    chosen: list[int] = []
    for k in order:
        fact = found.facts[k]
        same = sum(found.facts[i]['attribute'] == fact['attribute'] for i in chosen)
        if fact['auc'] >= LEAST_AUC and same < OF_ONE and len(chosen) < count:
            chosen.append(k)
    return sorted(chosen)


def as_json(found: Found, chosen: Any) -> dict[str, Any]:
    """Write directions as JSON values."""
    directions = found.directions
    return {
        'space': directions.space,
        'method': found.method,
        'center': directions.center.tolist(),
        'directions': [
            {
                'name': directions.names[k],
                'vector': directions.vectors[k].tolist(),
                'scale': float(directions.scales[k]),
                **found.facts[k],
            }
            for k in chosen
        ],
    }
