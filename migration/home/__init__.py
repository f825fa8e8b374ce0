"""One home: its identity in the database, in its folder and on its shelf of backups; backup and restore."""
