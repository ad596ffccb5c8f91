"""What is put up once: projects, run trees, hooks, the service, and the demonstration."""
