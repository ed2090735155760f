"""A stand-in for AWS DMS."""
