"""Generated from `proto/skuscan/v1/`: see `tools/generate_proto.py`. Nothing here is written by hand."""
