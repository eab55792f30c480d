"""How good a head is, on float pictures before any encoding, beside controls that need no head."""
