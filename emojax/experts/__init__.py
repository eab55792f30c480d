"""Networks that others trained: pure functions of given weights. None comes with the project."""
