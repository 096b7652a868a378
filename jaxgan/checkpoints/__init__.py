"""Checkpoints that can be believed: written whole, verified when read, and kept as long as they should be.

``checkpoint`` is what a training uses, ``restore`` what others read with, ``verify`` the command; only ``storage`` knows Orbax.
"""
