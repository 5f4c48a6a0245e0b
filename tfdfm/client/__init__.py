"""Images from a model that is served."""
