// Training: the step, checkpoints, early stopping, scoring; nothing here knows that a network exists.
