"""Who runs the cells: one job, local processes, a Ray cluster."""
