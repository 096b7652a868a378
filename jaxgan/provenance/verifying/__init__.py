"""``jaxgan verify``: whose mark is in a file, layer by layer."""
