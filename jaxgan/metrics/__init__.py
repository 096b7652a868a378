"""Measures of generated images: quality, coverage, copying, each with the protocol by which it was taken."""
