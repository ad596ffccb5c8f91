"""Measurements beside the goals of the design; see ``__main__.py``."""
