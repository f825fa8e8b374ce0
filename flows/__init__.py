"""What Prefect can start. No logic: each flow opens the object graph, asks it to go on, and says what it said."""
