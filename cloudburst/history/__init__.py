"""What runs on AWS leave for people: written by their driver, and read from the store by whoever has access to it."""
