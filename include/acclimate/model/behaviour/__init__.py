"""Behavioural tests of a model, from data files that a user can add to (Ribeiro et al. 2020, CheckList)."""
