"""Rules that choose settings: functions of a `PlanBuilder`, run in the order of `plan.RULES`."""
