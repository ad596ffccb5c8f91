"""What DataLad makes of a run and what wtwatch makes of it, from the same state: a table of scenarios."""
