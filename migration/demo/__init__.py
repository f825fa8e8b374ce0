"""`cutover demo`: the sandbox, a real Prefect server and a mixed fleet, with a worker that is killed in the move."""
