"""Results on their way into the main tree."""
