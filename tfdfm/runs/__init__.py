"""A run: a recipe, a directory, and the training that starts or resumes in it."""
