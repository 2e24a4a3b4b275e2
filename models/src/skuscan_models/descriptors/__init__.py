"""Trains the network that describes a keypoint's patch (`skuscan.descriptors`)."""
