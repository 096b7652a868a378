"""``jaxgan bench``: what a step, a convolution, an image or a start costs, beside PyTorch in a process of its own."""
