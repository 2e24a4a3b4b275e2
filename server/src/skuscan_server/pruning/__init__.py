"""Removing what nothing published needs any more: files, records, publications."""
