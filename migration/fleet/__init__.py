"""From an inventory file to numbers whose way is chosen: read the rows, look at both sides, decide."""
