"""Driving: a head, a new sound, a pose and an expression -> a film of any length."""
