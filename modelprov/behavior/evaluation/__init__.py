"""Whether answers are right: tasks, graders, methods, logs, results."""
