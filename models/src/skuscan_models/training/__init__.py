"""Training of the embedding for product instances: sources -> views -> batches -> network and loss -> trainer."""
