"""What the commands do, one verb a file; `edge.cli` gives them their options. Each returns its exit code."""
