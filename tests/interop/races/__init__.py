"""Races between commits of ours and Spark's on one table."""
