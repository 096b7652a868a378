"""``jaxgan exposure`` and ``remove``: what a run has seen of an image, and a run that has never seen it."""
