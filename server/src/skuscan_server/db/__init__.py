"""The database: tables, sessions, and the lock that keeps builders apart."""
