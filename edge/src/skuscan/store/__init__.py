"""The device's disk: blobs, generations, and which generation is live."""
