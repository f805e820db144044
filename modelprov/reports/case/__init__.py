"""Several results about one model on one page."""
