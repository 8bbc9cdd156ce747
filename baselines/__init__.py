"""The competitors: one file a method, with links to its paper and code."""
