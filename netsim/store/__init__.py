"""What a server must not lose: SQLite files, one writer each."""
