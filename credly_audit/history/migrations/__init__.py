"""How the tables of the history came to be, a module a version, for alembic."""
