"""What Prefect can start. No logic: each flow opens the object graph, calls `migration`, and reports the result."""
