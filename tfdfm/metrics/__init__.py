"""Scores as pure functions of features, logits or images, in float64."""
