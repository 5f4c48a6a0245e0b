"""Networks that make features and logits of images, found by name."""
