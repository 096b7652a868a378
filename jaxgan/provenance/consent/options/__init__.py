"""The options of ``jaxgan exposure`` and ``remove``."""
