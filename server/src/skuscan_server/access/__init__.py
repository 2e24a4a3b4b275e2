"""Who may do what: operators' API keys, enrolment tokens, devices."""
