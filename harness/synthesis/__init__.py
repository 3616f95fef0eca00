"""How much of a part a design would take, estimated by an open synthesis tool."""
