"""Keras model -> full int8 TFLite, with the parity report."""
