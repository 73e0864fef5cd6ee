"""What the runs of a user have learned: kept beside the runs, and tested anew in the next ones."""
