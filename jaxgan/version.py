"""The version, in one place; it is stored in every run and export."""

__version__ = '0.1.0'
