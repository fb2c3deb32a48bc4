package activities

import "context"

// RecordFailure ends a delivery whose attempts are used up, or that was refused for good: the delivery says failed (or
// unknown, when the provider may have it), and the error log says why. Recording it twice is the same as once.
func (a *Activities) RecordFailure(ctx context.Context, f Failure) error {
	if err := a.Ledger.Fail(ctx, f, a.Now()); err != nil {
		return a.unavailable("write the error log for delivery "+f.DeliveryID, err)
	}
	return nil
}
