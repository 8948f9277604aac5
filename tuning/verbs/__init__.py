"""What the verbs of the command line do, over everything else here."""
