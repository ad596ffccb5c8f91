"""The vocabulary: values, trouble and quoting. Nothing here reads or writes."""
