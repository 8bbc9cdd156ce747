"""The harness: plans, trains, records, scores and renders the paper's tables."""
