// SampleData: draws, voices, manipulates and encodes the small audio-visual sample data set.
