"""How weights are combined: the one `Recipe`, its reader and writer, its words, arithmetics."""
