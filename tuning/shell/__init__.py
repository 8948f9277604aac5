"""What is typed, what to type next, and where things are: the home, the record, the data."""
