"""Trainings, on Ray or alone: stages, Optuna's suggestions, early stopping, what is at hand, what workers run."""
