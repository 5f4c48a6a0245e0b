"""A run, a folder or a data set -> its scores, written down so that they can be compared."""
