"""Trainings on Ray, suggested by Optuna: stages, early stopping, what is at hand already, what workers run."""
