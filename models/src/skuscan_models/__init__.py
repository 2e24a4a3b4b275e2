"""Drawn packaging, backbones, heads and training of skuscan. `synthetic` needs no TensorFlow."""
