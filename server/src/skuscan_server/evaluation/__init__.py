"""Evaluation on a user's own pictures, through the whole path: server features, bundle, device store, recogniser."""
