"""One run tree: how its code stands, how it is moved, backed up, saved and set up."""
