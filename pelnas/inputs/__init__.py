"""What comes from outside: bounds, readers and checks."""
