"""A study's best configs as files: configs, model, model card, and their place in MLflow's registry."""
