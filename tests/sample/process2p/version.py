"""What changes from one release of the analysis to the next."""

VERSION = "v1"
