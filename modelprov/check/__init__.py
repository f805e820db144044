"""Is what a publisher claims what the files hold? Claims, measurements, rules; renders nothing, parses no arguments."""
