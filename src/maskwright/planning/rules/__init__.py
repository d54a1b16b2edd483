"""Rules that choose settings: each is a function of a `PlanBuilder` in the `RULES` of its module.

A new rule is added to one of these modules; `planning.plan` runs them in order.
"""
