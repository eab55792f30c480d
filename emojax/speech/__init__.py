"""Text -> sound with the times of its phonemes, by espeak-ng (optional, extra `speech`)."""
