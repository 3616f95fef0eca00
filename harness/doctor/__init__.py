"""From "nothing works" to the cause: what is installed, what the board is, what is wrong.

Every probe has a deadline, and one that fails says what to do.
"""
