"""What must live on chip: a network's demand against what real devices have, by arithmetic.

`devices` and `published` are tables with a source for every figure, `network` and `workload` say
what is asked for, `bounds` holds the formulas, `verdict` judges. Nothing here is measured.
"""
