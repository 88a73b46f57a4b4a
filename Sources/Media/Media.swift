// Media: images, sound and video from files to plain arrays; resampling and spectrograms.
