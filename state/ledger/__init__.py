"""Every write of the database: guarded updates, one file per aggregate, no read-then-write. Entry: `ledger.Ledger`."""
