"""The same model in other coordinates: finds the frame, pairs layers, experts and units by content. Judges nothing."""
