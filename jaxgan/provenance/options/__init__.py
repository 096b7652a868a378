"""The options of the commands of ``jaxgan.provenance``: cheap to import."""
