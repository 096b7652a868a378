"""The documents beside a generator, by its run's own files: ``MODEL_CARD.md`` and ``dataset.croissant.json``."""
