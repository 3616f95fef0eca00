"""What detectors send and when: events, filling schemes, arrival schedules. Pure and seeded."""

from __future__ import annotations

from harness.traffic.events import Events, Source
from harness.traffic.filling import FILLING_NAMES, SLOTS, Filling, filling, gaps
from harness.traffic.jets import JET_FORMAT, JET_LABELS, Jets
from harness.traffic.noise import Noise
from harness.traffic.registry import SOURCE_NAMES, detector, open_source
from harness.traffic.schedule import Schedule

__all__ = [
    "FILLING_NAMES",
    "JET_FORMAT",
    "JET_LABELS",
    "SLOTS",
    "SOURCE_NAMES",
    "Events",
    "Filling",
    "Jets",
    "Noise",
    "Schedule",
    "Source",
    "detector",
    "filling",
    "gaps",
    "open_source",
]
