"""The server: catalogue, features, builder, publisher, devices, evaluation."""
