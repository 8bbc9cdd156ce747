"""Figures: what the records, the predictions and the trained weights look like."""
