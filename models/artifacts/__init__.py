"""The released model artefacts, installed as data: one folder each."""
