"""The policy of an organization: enabled rules, waivers and plans, the register, explanations."""
