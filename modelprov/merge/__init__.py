"""Making and re-making merges: recipes, their arithmetic, virtual checkpoints, writing. Never imports forensics."""
