package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// SendInput names the delivery to hand over. IDs only: the message is read from the application's database.
type SendInput struct {
	DeliveryID     string `json:"delivery_id"`
	EventID        string `json:"event_id"`
	NotificationID string `json:"notification_id"`
	// RetryEventID is the event by which a person had the delivery opened again: a send of before that does nothing.
	RetryEventID string `json:"retry_event_id,omitempty"`
}

// SendResult says how a send ended that did not fail.
type SendResult struct {
	// Taken: the provider has the message. False when the delivery had ended otherwise before this send.
	Taken bool `json:"taken"`
	// Suppressed: it was no longer of use to send it.
	Suppressed bool `json:"suppressed,omitempty"`
	// Later is how long to wait before the send is begun anew: the channel is to be slow, and no attempt was made.
	Later time.Duration `json:"later,omitempty"`
}

// turnPatience is how long a single send waits for its turn: the time that is left then is enough for a hand-over.
const turnPatience = 4 * time.Second

// SendEmail hands an email to the mail server.
func (a *Activities) SendEmail(ctx context.Context, in SendInput) (SendResult, error) {
	return a.send(ctx, rule.Email, in)
}

// SendSMS hands an SMS to its provider.
func (a *Activities) SendSMS(ctx context.Context, in SendInput) (SendResult, error) {
	return a.send(ctx, rule.SMS, in)
}

// SendWhatsApp hands a WhatsApp message to its provider.
func (a *Activities) SendWhatsApp(ctx context.Context, in SendInput) (SendResult, error) {
	return a.send(ctx, rule.WhatsApp, in)
}

// send makes one attempt: it claims the delivery, hands it over, and writes down how that ended. A delivery that the
// provider has is never handed over again; one that it may have is asked for first, where the provider can answer.
func (a *Activities) send(ctx context.Context, channel rule.Channel, in SendInput) (SendResult, error) {
	admitted, later := a.enter(ctx, channel, 1, turnPatience)
	if admitted.granted == 0 {
		return SendResult{Later: later}, nil
	}
	begun := false
	defer func() { admitted.leave(begun) }()
	started := a.Now()
	claims, err := a.Ledger.Advance(ctx, nil, []SendInput{in}, started)
	if err != nil {
		return SendResult{}, a.interrupted("claim delivery "+in.DeliveryID, err)
	}
	claim := claims[0]
	if claim.Attempt == 0 {
		return SendResult{Taken: claim.Taken, Suppressed: claim.Suppressed}, nil
	}
	begun = true
	attempt := a.handOver(ctx, channel, claim)
	attempt.DeliveryID, attempt.Number = in.DeliveryID, claim.Attempt
	attempt.StartedAt, attempt.FinishedAt = started, a.Now()
	a.observe(channel, attempt.Attempt)
	if err := a.finish(ctx, attempt.Attempt); err != nil {
		return SendResult{}, a.interrupted("finish delivery "+in.DeliveryID, err)
	}
	if attempt.Outcome == Accepted {
		return SendResult{Taken: true}, nil
	}
	a.passed(ctx) // it is tried again after a while, for which nothing else waits
	return SendResult{}, refused(in.DeliveryID, claim.Attempt, Class(attempt.Outcome), attempt.Code, attempt.retryAfter)
}

func (a *Activities) observe(channel rule.Channel, attempt Attempt) {
	if a.Observe != nil {
		a.Observe(channel, attempt.Outcome, attempt.FinishedAt.Sub(attempt.StartedAt))
	}
}

// ended is how a hand-over ended, with the wait that the provider asked for.
type ended struct {
	Attempt
	retryAfter time.Duration
}

// handOver gives the message to the channel's sender.
func (a *Activities) handOver(ctx context.Context, channel rule.Channel, claim Claim) (e ended) {
	defer func() { a.slow(ctx, channel, e) }()
	defer func() {
		if cause := recover(); cause != nil {
			a.Log.Error("A channel panicked", "channel", channel, "delivery", claim.Message.DeliveryID,
				"panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack())) // its text could hold the message
			e = ended{Attempt: Attempt{Outcome: string(Unknown), Code: "adapter_panic"}}
		}
	}()
	sender, ok := a.Senders[channel]
	if !ok {
		return ended{Attempt: Attempt{Outcome: string(Permanent), Code: "channel_not_configured",
			Detail: fmt.Sprintf("The worker has no settings for %s: see the settings table in README.md.", channel)}}
	}
	if claim.DoubtfulSince != nil {
		if e, done := a.alreadyTaken(ctx, sender, claim); done {
			return e
		}
	}
	providerID, detail, err := sender.Send(ctx, claim.Message)
	if err != nil {
		return refusal(err)
	}
	return ended{Attempt: Attempt{Outcome: Accepted, ProviderID: providerID, Detail: detail}}
}

// alreadyTaken asks the provider for a message that an earlier attempt may have handed over. One that belongs to another
// delivery (the same text to the same number), or of which it is known what became, is not this one.
func (a *Activities) alreadyTaken(ctx context.Context, sender Sender, claim Claim) (e ended, done bool) {
	candidates, err := sender.Find(ctx, claim.Message, *claim.DoubtfulSince)
	if err != nil {
		return refusal(err), true
	}
	for _, providerID := range candidates {
		recorded, err := a.Ledger.Recorded(ctx, providerID, claim.Message.DeliveryID)
		if err != nil {
			return ended{Attempt: Attempt{Outcome: string(Unknown), Code: "database_unavailable", Detail: err.Error()}}, true
		}
		if !recorded {
			return ended{Attempt: Attempt{Outcome: Accepted, ProviderID: providerID, Detail: "The provider had it already."}}, true
		}
	}
	return ended{}, false
}

func refusal(err error) ended {
	var r Refusal
	if !errors.As(err, &r) {
		return ended{Attempt: Attempt{Outcome: string(Temporary), Code: "internal", Detail: err.Error()}}
	}
	class, code, retryAfter, detail := r.Refusal()
	return ended{Attempt: Attempt{Outcome: string(class), Code: code, Detail: detail}, retryAfter: retryAfter}
}

// finish writes attempts down. When the provider has a message, forgetting that would send it twice: it tries for as long
// as the activity may run, even when the worker is being stopped.
func (a *Activities) finish(ctx context.Context, attempts ...Attempt) error {
	taken := slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Outcome == Accepted })
	deadline := activity.GetInfo(ctx).Deadline
	if soon := time.Now().Add(noteTimeout); deadline.Before(soon) {
		deadline = soon // late is better than never
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		_, err := a.Ledger.Advance(ctx, attempts, nil, a.Now())
		if err == nil || !taken {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// interrupted logs what the database said, and gives the workflow the word to begin the send anew.
func (a *Activities) interrupted(step string, err error) error {
	a.Log.Warn("The application's database did not answer", "step", step, "error", err)
	return interrupted(step)
}
