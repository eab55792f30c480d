"""What training makes small: pure functions of pictures and motions, each returning a scalar."""
