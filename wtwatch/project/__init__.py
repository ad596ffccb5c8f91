"""A project: its settings, where it is registered, and what its programs are given."""
