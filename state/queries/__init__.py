"""Every read of the database. Each file has the questions about one subject; `queries.Queries` holds them all."""
