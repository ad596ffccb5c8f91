"""One job from its start to its end: its process, its folder, and what it leaves."""
