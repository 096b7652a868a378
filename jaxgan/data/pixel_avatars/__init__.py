"""The embedded data set: pixel-art avatars at 16x16, CC0."""
