"""Lanes: run trees beside the run tree, in which jobs of a batch run side by side; results meet in that."""
