"""What everybody owes, and free tasks: to-do lists, urging, statistics."""
