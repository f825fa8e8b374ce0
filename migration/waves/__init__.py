"""Numbers moved together: the loop that keeps them moving, and the rule that halts them."""
