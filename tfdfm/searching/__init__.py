"""Every setting of a grid over a recipe's keys: trained, scored, and shared between processes and hosts."""
