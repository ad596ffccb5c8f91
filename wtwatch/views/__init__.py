"""What is seen: facts collected for people and programs, and how they are shown."""
