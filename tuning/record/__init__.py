"""The record in MLflow: what it says of a run, how it is written while a log grows, read back, and served."""
