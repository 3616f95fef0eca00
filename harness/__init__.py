"""FPGA-in-the-loop benchmarking of on-chip neural networks."""

__version__ = "0.1.0"
