"""The registry's database: tables, migrations, connections, on SQLite and on PostgreSQL."""
