"""Images for boards: what is in them, whether they are what they claim, and where they are kept."""
