"""Search of hyperparameters: the settings to vary, the trials, and their record."""
