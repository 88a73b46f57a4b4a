// Evaluation: metrics, thresholds, calibration, statistical tests and late fusion on plain numbers.
