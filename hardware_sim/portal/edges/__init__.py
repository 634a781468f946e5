"""The one authority over the list, and its link to the edges: what they are told, and what they are answered."""
