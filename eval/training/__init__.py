"""Trainings of the models that the product ships; each measures what it makes by one command."""
