"""The network: trust, what to fetch, fetching it, and making it live."""
