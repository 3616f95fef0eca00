"""Settings for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Examples are judged by what they find, not by how busy the machine is.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

# A project of its own: tests/emulation/test_example_project.py runs it as its user would.
collect_ignore = ["example_project"]
