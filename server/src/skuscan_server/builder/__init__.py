"""From the catalogue to a signed generation: records, deltas, bases, probes, publication. Knows no Flask."""
