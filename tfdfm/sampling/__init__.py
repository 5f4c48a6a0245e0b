"""Trained generators: restored, sampled and exported."""
