"""Measurements side by side with other systems; `flower bench`."""
