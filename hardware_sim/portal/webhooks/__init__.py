"""What organisations are told of events, by webhook and by mail."""
