"""What a study says: its plan, its progress, its tables, figures and sentences, in every format."""
