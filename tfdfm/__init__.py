"""Generators trained with denoising feature matching (Warde-Farley & Bengio, ICLR 2017)."""

__version__ = "0.1.0"
