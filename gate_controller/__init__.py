"""What a gate or a desk should do: pure rules, no I/O, no clock, no randomness."""
