"""A scientist's small package, as the tests put it into `code/`."""
