"""Lengths of time in words. Loads nothing: a glance shows some."""


def lasting(seconds: float) -> str:
    """Return a length of time for people: "8 s", "4 min", "3 h", "2 days"."""
    for size, word in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {word}"
    return f"{max(int(seconds), 0)} s"
