"""Trains the network that says whether a registered scan shows a reference's very print (`skuscan.likeness`)."""
