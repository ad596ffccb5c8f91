"""wtwatch keeps a DataLad run tree at the bookmark: notice, sync, save, run, merge."""

__version__ = "0.2.0"
