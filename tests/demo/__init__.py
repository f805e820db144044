"""Tests of the generated families: true histories, exact bits, nothing half-written."""
