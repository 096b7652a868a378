"""A trained generator as a folder of web pages that run it in the visitor's browser: ``jaxgan studio``."""
