"""What `make bench-scale` measures: the same commands where there is very much of everything."""
