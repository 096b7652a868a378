"""Marks of pictures: how each says what made it, how files with marks are written and read, and the record of them."""
