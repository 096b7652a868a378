"""The index of a training's images, by which copies of them are found without them."""
