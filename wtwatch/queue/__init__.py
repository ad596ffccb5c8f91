"""What was asked for: batches and jobs, on disk, and which is next."""
