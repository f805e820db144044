"""Where bytes come from: one interface, local files its first member."""
