"""Builds small families of related checkpoints, so that every claim can be tried at home. Judges nothing."""
