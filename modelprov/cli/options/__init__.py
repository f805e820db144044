"""What each command can be asked, a file a command; `shared` is what several take. Types with help; runs nothing."""
