"""Benchmarks paced by the host: one open-loop sender, absolute deadlines, times of the host alone.

What a link, a driver and an operating system add is measured here. Nothing of it is a property of
the accelerator: these numbers have the time base `host` and never share a table with the fabric's.
"""
