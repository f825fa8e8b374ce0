"""A whole move to watch: the sandbox, a real Prefect server, a mixed fleet, and a worker that is killed."""
