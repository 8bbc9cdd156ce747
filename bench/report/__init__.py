"""What the pages say: rows, notes, verdicts, and the figures that others printed."""
