"""Graders against answers judged by hand: the answers, and the error rates of three ways to grade them."""
