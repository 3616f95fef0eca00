"""Results: their schema, their folder, and how people see them."""
