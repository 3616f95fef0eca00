"""Host drivers of what is in the programmable logic, and the raw values they read."""
