"""Pictures and numbers of trained runs, a view a file."""
