"""The projection into MLflow."""
