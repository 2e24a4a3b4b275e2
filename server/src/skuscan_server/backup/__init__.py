"""The whole server in one file, and back: `save.py`, `restore.py`."""
