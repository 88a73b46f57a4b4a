// Ledger: runs, jobs, attempts and metrics in SQLite.
