"""Races between our commits and Spark's on one table."""
