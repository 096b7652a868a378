"""The options of ``jaxgan audit`` and ``attribute``."""
