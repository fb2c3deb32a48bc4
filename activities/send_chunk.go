package activities

import (
	"context"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// ChunkInput names deliveries of one channel that are to be tried once.
type ChunkInput struct {
	Deliveries []ChunkItem `json:"deliveries"`
}

// ChunkItem is a delivery of a chunk. IDs only: the messages are read from the application's database.
type ChunkItem struct {
	ID string `json:"id"`
	// RetryEventID is the event by which a person had the delivery opened again.
	RetryEventID string `json:"retry_event_id,omitempty"`
}

// ChunkResult says what became of a chunk's deliveries, each of which is counted or named once.
type ChunkResult struct {
	Sent       int `json:"sent,omitempty"`
	Suppressed int `json:"suppressed,omitempty"`
	// Ended had ended otherwise before this chunk.
	Ended int `json:"ended,omitempty"`
	// Refused were tried in vain; what they need next is the workflow's to decide.
	Refused []Refused `json:"refused,omitempty"`
	// Unsent were not tried, because the chunk's time was over.
	Unsent []ChunkItem `json:"unsent,omitempty"`
	// Later is how long to wait before the unsent are tried: the channel is to be slow. Zero means that they can go on.
	Later time.Duration `json:"later,omitempty"`
}

// Refused is a delivery whose attempt was no success.
type Refused struct {
	ID    string `json:"id"`
	Class Class  `json:"class"`
	Code  string `json:"code"`
	// Wait is what the provider asked for before the next attempt; zero when it did not.
	Wait time.Duration `json:"wait,omitempty"`
}

// SendEmailChunk makes one attempt at each of the emails.
func (a *Activities) SendEmailChunk(ctx context.Context, in ChunkInput) (ChunkResult, error) {
	return a.sendChunk(ctx, rule.Email, in)
}

// SendSMSChunk makes one attempt at each of the SMS.
func (a *Activities) SendSMSChunk(ctx context.Context, in ChunkInput) (ChunkResult, error) {
	return a.sendChunk(ctx, rule.SMS, in)
}

// SendWhatsAppChunk makes one attempt at each of the WhatsApp messages.
func (a *Activities) SendWhatsAppChunk(ctx context.Context, in ChunkInput) (ChunkResult, error) {
	return a.sendChunk(ctx, rule.WhatsApp, in)
}

// chunkBudget is how long a chunk begins attempts. Those under way then come to their end, and the rest is given back: so
// no chunk holds its channel for long, and the last attempt has as much of the activity's time as a single one.
const chunkBudget = time.Second

// sendChunk keeps as many attempts under way as the channel allows. Each is claimed in the database before its hand-over
// and written down after it, as a single one is, but those that end and begin at the same moment share a commit: so a
// worker that dies leaves no more deliveries in doubt than were being handed over. Repeating the chunk hands over only
// what is still unsent. Its error is always the database's or the worker's, never a provider's.
func (a *Activities) sendChunk(ctx context.Context, channel rule.Channel, in ChunkInput) (ChunkResult, error) {
	c := &chunk{a: a, channel: channel, queue: in.Deliveries, ends: make(chan ended), until: time.Now().Add(chunkBudget)}
	for {
		begun := c.admit(ctx)
		if err := c.advance(ctx, begun); err != nil {
			c.drain()
			return ChunkResult{}, a.unavailable("end and begin attempts", err)
		}
		if c.underWay == 0 {
			break
		}
		c.await()
	}
	c.result.Unsent = c.queue
	return c.result, nil
}

// chunk is a chunk under way. Only its own goroutine touches it; the hand-overs answer through ends.
type chunk struct {
	a       *Activities
	channel rule.Channel
	queue   []ChunkItem
	until   time.Time

	ends     chan ended
	underWay int
	// done are attempts that have ended and are not written down yet.
	done   []Attempt
	result ChunkResult
}

// admit gives how many attempts may begin now. It waits only when none is under way.
func (c *chunk) admit(ctx context.Context) int {
	patience := time.Until(c.until)
	if len(c.queue) == 0 || patience <= 0 {
		return 0
	}
	if c.underWay > 0 || len(c.done) > 0 {
		patience = 0
	}
	granted, later := c.a.enter(ctx, c.channel, len(c.queue), patience)
	if granted == 0 && c.underWay == 0 && len(c.done) == 0 {
		c.until, c.result.Later = time.Time{}, later
	}
	return granted
}

// advance writes down what has ended and begins the next attempts, in one commit.
func (c *chunk) advance(ctx context.Context, begin int) error {
	if begin == 0 && len(c.done) == 0 {
		return nil
	}
	started := c.a.Now()
	next := make([]SendInput, begin)
	for i, item := range c.queue[:begin] {
		next[i] = SendInput{DeliveryID: item.ID, RetryEventID: item.RetryEventID}
	}
	claims, err := c.a.Ledger.Advance(ctx, c.done, next, started)
	if err != nil {
		c.a.leave(c.channel, begin)
		return c.writeDown(ctx, err)
	}
	c.done, c.queue = c.done[:0], c.queue[begin:]
	for i, claim := range claims {
		c.begin(ctx, next[i].DeliveryID, claim, started)
	}
	return nil
}

// writeDown tries to write at least the ended attempts down, after a commit that failed with the cause: what a provider
// has taken must not be forgotten.
func (c *chunk) writeDown(ctx context.Context, cause error) error {
	for len(c.done) > 0 {
		if err := c.a.finish(ctx, c.done[0]); err != nil {
			return err
		}
		c.done = c.done[1:]
	}
	return cause
}

// begin hands one over in the background, unless it has ended already.
func (c *chunk) begin(ctx context.Context, id string, claim Claim, started time.Time) {
	if claim.Attempt == 0 {
		c.a.leave(c.channel, 1)
		switch {
		case claim.Taken:
			c.result.Sent++
		case claim.Suppressed:
			c.result.Suppressed++
		default:
			c.result.Ended++
		}
		return
	}
	c.underWay++
	go func() {
		e := c.a.handOver(ctx, c.channel, claim)
		c.a.leave(c.channel, 1)
		e.DeliveryID, e.Number, e.StartedAt, e.FinishedAt = id, claim.Attempt, started, c.a.Now()
		c.ends <- e
	}()
}

// await waits for one attempt to end, and takes those that have ended too.
func (c *chunk) await() {
	c.end(<-c.ends)
	for c.underWay > 0 {
		select {
		case e := <-c.ends:
			c.end(e)
		default:
			return
		}
	}
}

func (c *chunk) end(e ended) {
	c.underWay--
	c.done = append(c.done, e.Attempt)
	c.a.observe(c.channel, e.Attempt)
	if e.Outcome == Accepted {
		c.result.Sent++
		return
	}
	c.result.Refused = append(c.result.Refused, Refused{ID: e.DeliveryID, Class: Class(e.Outcome), Code: e.Code, Wait: e.retryAfter})
}

// drain waits for the attempts under way, and writes them down as well as it can.
func (c *chunk) drain() {
	for c.underWay > 0 {
		c.await()
	}
	for _, attempt := range c.done {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		_ = c.a.Ledger.Finish(ctx, attempt)
		cancel()
	}
}

// drainTimeout bounds the last try to write an attempt down.
const drainTimeout = 5 * time.Second
