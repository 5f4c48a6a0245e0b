"""Models and their versions in memory and on disk."""
