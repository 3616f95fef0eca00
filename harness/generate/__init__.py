"""From an overlay's manifest to everything that follows from it."""
