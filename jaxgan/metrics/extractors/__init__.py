"""Fixed networks from images to features: one module each."""
