"""What type checkers see: the functions that the package fetches on first use."""

from harness.report.frames import load_results as load_results
from harness.report.frames import load_trace as load_trace

__version__: str
__all__ = ["__version__", "load_results", "load_trace"]
