"""The formats that travel: records, segments, manifests, the state digest. No IO here."""
