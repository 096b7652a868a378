"""What a model card says of private training: the figures, and exactly what they mean."""

from jaxgan.documents.known import Known, Row, at, get, private, row

SHOWN = (
    ('epsilon', 'epsilon'),
    ('delta', 'delta'),
    ('neighbouring data sets', 'relation'),
    ('images', 'images'),
    ('updates of the discriminator', 'updates'),
    ('noise, in units of the clipping norm', 'noise'),
    ("clipping norm of an image's gradient", 'clip'),
    ('sampling', 'sampling'),
    ('chance of an image to be in an update', 'chance'),
    ('places of an update', 'capacity'),
    ('part of delta for updates with too few places', 'overflow'),
    ('accountant', 'accountant'),
)
NONE = 'No file says that it was trained with differential privacy: nothing bounds what its images may show of single training images.'
MEANING = (
    'So much the chance of any outcome of the training can differ between two data sets of which one lacks one image: at most by the factor e^epsilon, but '
    'for a chance of delta. Covered are the parameters of discriminator, generator and average, and whatever is made of them. Not covered: other files of '
    'the run (its list of images, digests of the data), evaluations and audits against real images, the choice of settings by looking at several runs, and '
    'what else was published of the data. An image and its mirror image count as one; copies of it among the others are others. The number of images counts '
    'as public. The noise is of floating-point numbers made from 64-bit keys, not the ideal one (Mironov 2012), and whoever has the secret can subtract it.'
)


def privacy_rows(known: Known) -> list[Row]:
    """List what a private training has spent; nothing, if it was none."""
    if not private(known):
        return []
    told = get(known.card, 'trained.privacy')
    return [row(what, told, field, at(known, f'trained.privacy.{field}')) for what, field in SHOWN]
