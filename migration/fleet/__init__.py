"""From an inventory file to numbers with an itinerary: read the rows, read both sides, choose."""
