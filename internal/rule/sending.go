package rule

// The limits of what a notification decides about its sending. Zero stands for the setting's or for none.
const (
	RetryAttemptsLimit = 100
	RetryIntervalLimit = 24 * 60 * 60 // seconds
	PriorityLimit      = 5            // Temporal's priority keys go from 1 to 5
	ValidForLimit      = 365 * 24 * 60
)

// sending checks the retry profile, the priority and the validity.
func (v *validation) sending() {
	v.within("retry_attempts", v.n.RetryAttempts, RetryAttemptsLimit)
	v.within("retry_interval", v.n.RetryInterval, RetryIntervalLimit)
	v.within("priority", v.n.Priority, PriorityLimit)
	v.within("valid_for", v.n.ValidFor, ValidForLimit)
}

func (v *validation) within(field string, value, limit int) {
	if value < 0 || value > limit {
		v.errs.add(field, "must be a whole number from 0 to %d", limit)
	}
}
