"""``jaxgan audit`` and ``attribute``: whether images are copies of training images, and of which."""
