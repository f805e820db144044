"""One renderer per format over one versioned `Report`. Renders results, computes nothing."""
