"""What main has and a run tree lacks, and the code of a release, on their way over what jobs wrote."""
