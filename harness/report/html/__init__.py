"""Results as one HTML page that needs nothing else: no network, no library, not even scripts."""

from __future__ import annotations

from harness.report.html.page import render

__all__ = ["render"]
