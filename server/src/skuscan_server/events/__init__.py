"""Telling devices that something was published, in a process of its own."""
