"""Whether the firmware on a board is the right one and does its job: `harness validate`.

`steps.STEPS` is the whole of it in order; each step is a function that yields its evidence.
"""
