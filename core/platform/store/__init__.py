"""What must outlive the process: SQLAlchemy models, migrations, and one file of queries a subject."""
