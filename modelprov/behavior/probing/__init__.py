"""Who the model says it is: questions, arms, templates, endpoints, classes of answers."""
