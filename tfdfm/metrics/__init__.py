"""Scores as pure functions of features, logits or images, and the classifiers that make features and logits."""
