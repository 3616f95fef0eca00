"""The virtual board over gRPC, as PYNQ.remote's clients know a board.

The messages are those of the installed `pynq`. Where the original server answers OK to what has
failed, this one answers an error: a client that ignores it is no worse off, and one that looks
learns the cause.
"""
