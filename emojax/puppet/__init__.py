"""The puppet: a procedural talking head that speaks, feels and moves, with everything known."""
