"""What the operator of a portal asks at its machine, and the counter where it is asked."""
