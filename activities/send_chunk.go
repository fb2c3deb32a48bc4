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

// sendChunk keeps as many attempts under way as the channel allows. All are claimed in the database before the first
// hand-over, and those that end at the same moment are written down in one commit while the next are handed over.
// Repeating the chunk hands over only what is still unsent: what a worker that died had claimed counts as in doubt, as a
// single attempt does. Its error is always the database's or the worker's, never a provider's.
func (a *Activities) sendChunk(ctx context.Context, channel rule.Channel, in ChunkInput) (ChunkResult, error) {
	c := &chunk{
		a: a, channel: channel, started: a.Now(), until: time.Now().Add(chunkBudget),
		ends: make(chan ended), written: make(chan error, 1),
	}
	if err := c.claim(ctx, in.Deliveries); err != nil {
		return ChunkResult{}, a.unavailable("begin attempts", err)
	}
	for {
		c.begin(ctx)
		c.write(ctx)
		if c.underWay == 0 && !c.writing {
			break
		}
		c.await()
	}
	if c.err == nil {
		c.err = c.giveBack(ctx)
	}
	if c.err != nil {
		return ChunkResult{}, a.unavailable("end attempts", c.err)
	}
	return c.result, nil
}

// chunk is a chunk under way. Only its own goroutine touches it; hand-overs and commits answer through channels.
type chunk struct {
	a       *Activities
	channel rule.Channel
	started time.Time
	// until is when no more attempts begin.
	until time.Time
	// claimed are attempts whose hand-over has not begun.
	claimed []claimed

	ends     chan ended
	underWay int
	// done are attempts that have ended and are not being written down yet.
	done    []Attempt
	written chan error
	writing bool
	err     error
	result  ChunkResult
}

// claimed is an item with its attempt.
type claimed struct {
	item  ChunkItem
	claim Claim
}

// claim begins the attempts in the database, and counts the deliveries that have ended already.
func (c *chunk) claim(ctx context.Context, items []ChunkItem) error {
	next := make([]SendInput, len(items))
	for i, item := range items {
		next[i] = SendInput{DeliveryID: item.ID, RetryEventID: item.RetryEventID}
	}
	claims, err := c.a.Ledger.Advance(ctx, nil, next, c.started)
	if err != nil {
		return err
	}
	for i, claim := range claims {
		switch {
		case claim.Attempt > 0:
			c.claimed = append(c.claimed, claimed{items[i], claim})
		case claim.Taken:
			c.result.Sent++
		case claim.Suppressed:
			c.result.Suppressed++
		default:
			c.result.Ended++
		}
	}
	return nil
}

// begin hands over as many as the channel has turns for. It waits for a turn only when none is under way.
func (c *chunk) begin(ctx context.Context) {
	patience := time.Until(c.until)
	if len(c.claimed) == 0 || patience <= 0 || c.err != nil {
		return
	}
	if c.underWay > 0 {
		patience = 0
	}
	admitted, later := c.a.enter(ctx, c.channel, len(c.claimed), patience)
	if admitted.granted == 0 && c.underWay == 0 {
		c.until, c.result.Later = time.Time{}, later
	}
	for _, next := range c.claimed[:admitted.granted] {
		c.underWay++
		go func() {
			started := c.a.Now()
			e := c.a.handOver(ctx, c.channel, next.claim)
			admitted.leave(true)
			e.DeliveryID, e.Number, e.StartedAt, e.FinishedAt = next.item.ID, next.claim.Attempt, started, c.a.Now()
			c.ends <- e
		}()
	}
	c.claimed = c.claimed[admitted.granted:]
}

// write writes what has ended down, in the background; one commit at a time, so that the next has more.
func (c *chunk) write(ctx context.Context) {
	if c.writing || len(c.done) == 0 {
		return
	}
	done := c.done
	c.done, c.writing = nil, true
	go func() { c.written <- c.a.finish(ctx, done...) }()
}

// await waits until a hand-over or a commit ends, and takes all that have ended too.
func (c *chunk) await() {
	select {
	case e := <-c.ends:
		c.end(e)
	case err := <-c.written:
		c.writing = false
		if c.err == nil {
			c.err = err
		}
	}
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

// giveBack takes the claims back whose hand-over did not begin: that was no attempt.
func (c *chunk) giveBack(ctx context.Context) error {
	if len(c.claimed) == 0 {
		return nil
	}
	back := make([]Attempt, len(c.claimed))
	for i, next := range c.claimed {
		back[i] = Attempt{DeliveryID: next.item.ID, Number: next.claim.Attempt}
		c.result.Unsent = append(c.result.Unsent, next.item)
	}
	return c.a.Ledger.GiveBack(ctx, back, c.a.Now())
}
