"""How a model goes on after random words, beside other models. Says whom it answers like, never what it is made of."""
