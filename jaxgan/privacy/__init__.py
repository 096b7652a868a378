"""Differentially private training: the private phase of the discriminator, what it spends, and what it refuses."""
