"""Everything that outlives the process: SQLAlchemy models, migrations, and one file of queries per subject."""
