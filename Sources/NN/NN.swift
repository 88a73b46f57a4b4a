// NN: parameters with explicit paths, layers, losses, optimizers, schedules.
