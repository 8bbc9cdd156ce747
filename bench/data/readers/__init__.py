"""Readers of what people really have on disk: one file per dataset, one small parser per layout (see `layout.py`)."""
