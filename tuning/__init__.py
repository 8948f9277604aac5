"""Machines and services: Ray runs what search_spaces declares and lt_core trains, Optuna advises, MLflow records."""
