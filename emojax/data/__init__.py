"""Portrait videos -> checked data sets: decoding, landmarks, tracking, masks, sound, doctor."""
