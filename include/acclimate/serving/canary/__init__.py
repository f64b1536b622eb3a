"""The canary inside the service: who is asked, what is counted, when it is over; the registry is not asked here."""
