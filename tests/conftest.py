"""Profiles of the property tests: the same examples every time by default, new ones under ``make fuzz``."""

from hypothesis import settings

settings.register_profile("default", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("default")
