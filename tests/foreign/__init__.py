"""Reading and showing what others wrote."""
