"""The registry's database: tables, migrations, connections, on SQLite and on PostgreSQL.

What differs between the two lies here: `database` (transactions), `bulk` (many rows), `searching`
(names and words), `guards` with `blanking` (triggers that refuse changes).
"""
