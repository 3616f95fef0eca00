"""FPGA-in-the-loop benchmarking of on-chip neural networks.

Results as pandas frames, each in one line:

    runs = harness.load_results("results")     # one row a run
    stamps = harness.load_trace("last")        # one row a traced event
"""

__version__ = "0.1.0"
__all__ = ["__version__", "load_results", "load_trace"]


def __getattr__(name: str) -> object:
    """Fetch what needs pandas when it is first used, so that `import harness` stays instant."""
    if name in {"load_results", "load_trace"}:
        # A call, not a statement: nothing is imported from here but on demand.
        frames = __import__("harness.report.frames", fromlist=[name])
        return getattr(frames, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> "list[str]":
    """Return the names that the package offers, also those that are not there yet."""
    return sorted({*globals(), *__all__})
