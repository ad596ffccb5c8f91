"""``wtwatch queue show``: another word for ``wtwatch show``."""

from wtwatch.commands.show import command as command  # noqa: PLC0414 - that is all
