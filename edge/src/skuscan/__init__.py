"""skuscan: which product is this? Answered on the device, offline."""
