"""What is lost when a run tree is brought to the bookmark: by git's own commands, and by wtwatch."""
