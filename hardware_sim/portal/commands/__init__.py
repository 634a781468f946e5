"""What the commands of `slagboom portal` do; `cli` mounts them."""
