"""Streams and their verbs."""
