"""How good the catalogue's pictures are, and which products look alike: advice for people, never a condition."""
