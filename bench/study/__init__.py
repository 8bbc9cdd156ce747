"""Tuning studies: search spaces, trials, their text, report and frozen winners."""
