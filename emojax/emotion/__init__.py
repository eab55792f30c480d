"""Emotion as a point (valence, arousal) of the disc: classes, action units, courses in time."""
