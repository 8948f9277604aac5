"""The record in MLflow: written from the event log while it grows, read back, served."""
