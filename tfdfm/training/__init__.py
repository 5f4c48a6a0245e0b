"""The update: networks, objectives and optimizers made into one trainer."""
