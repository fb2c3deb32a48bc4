package activities

import (
	"context"
	"errors"
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

// claimAhead is how many attempts of a chunk are claimed at most without having ended: enough for the next hand-over to
// begin while a commit is under way, and no more, because what a worker that dies had claimed counts as in doubt.
const claimAhead = 20

// sendChunk keeps as many attempts under way as the channel allows. Each is claimed in the database before its hand-over
// and written down after it, as a single one is; what ends and begins at the same moment shares a commit, beside which
// others are handed over. Repeating the chunk hands over only what is still unsent. Its error is always the database's or
// the worker's, never a provider's.
func (a *Activities) sendChunk(ctx context.Context, channel rule.Channel, in ChunkInput) (ChunkResult, error) {
	c := &chunk{
		a: a, channel: channel, queue: in.Deliveries, until: time.Now().Add(chunkBudget),
		ends: make(chan ended), committed: make(chan commit, 1),
	}
	for {
		c.begin(ctx)
		c.commit(ctx)
		if c.underWay == 0 && !c.committing {
			break
		}
		c.await()
	}
	if c.err = errors.Join(c.err, c.giveBack(ctx)); c.err != nil {
		return ChunkResult{}, a.unavailable("end and begin attempts", c.err)
	}
	return c.result, nil
}

// chunk is a chunk under way. Only its own goroutine touches it; hand-overs and commits answer through channels.
type chunk struct {
	a       *Activities
	channel rule.Channel
	// until is when no more attempts begin.
	until time.Time
	// queue is not claimed yet; claimed are attempts whose hand-over has not begun.
	queue   []ChunkItem
	claimed []claimed

	ends     chan ended
	underWay int
	// done are attempts that have ended and are not being written down yet.
	done       []Attempt
	committed  chan commit
	committing bool
	err        error
	result     ChunkResult
}

// claimed is an item with its attempt.
type claimed struct {
	item  ChunkItem
	claim Claim
}

// commit is what one came to.
type commit struct {
	items  []ChunkItem
	claims []Claim
	err    error
}

// begin hands over as many as the channel has turns for. It waits for a turn only when nothing else is under way.
func (c *chunk) begin(ctx context.Context) {
	patience := time.Until(c.until)
	if len(c.claimed) == 0 || patience <= 0 || c.err != nil {
		return
	}
	idle := c.underWay == 0 && !c.committing && len(c.done) == 0
	if !idle {
		patience = 0
	}
	admitted, later := c.a.enter(ctx, c.channel, len(c.claimed), patience)
	if admitted.granted == 0 && idle {
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

// commit writes down what has ended and claims what comes next, in the background; one at a time, so that the next has
// more.
func (c *chunk) commit(ctx context.Context) {
	if c.committing || c.err != nil && len(c.done) == 0 {
		return
	}
	next := c.wanted()
	if next == 0 && len(c.done) == 0 {
		return
	}
	done, items := c.done, c.queue[:next]
	c.done, c.queue, c.committing = nil, c.queue[next:], true
	go func() {
		claims, err := c.a.advance(ctx, done, items)
		c.committed <- commit{items, claims, err}
	}()
}

// wanted is how many attempts to claim with the next commit: several, as each claim is a statement.
func (c *chunk) wanted() int {
	room := claimAhead - len(c.claimed) - c.underWay
	if c.err != nil || !time.Now().Before(c.until) || room < claimAhead/2 {
		return 0
	}
	return min(room, len(c.queue))
}

// advance ends and begins attempts. When a provider has taken one, forgetting that would send it twice: it tries for as
// long as the activity may run.
func (a *Activities) advance(ctx context.Context, done []Attempt, items []ChunkItem) ([]Claim, error) {
	next := make([]SendInput, len(items))
	for i, item := range items {
		next[i] = SendInput{DeliveryID: item.ID, RetryEventID: item.RetryEventID}
	}
	claims, err := a.Ledger.Advance(ctx, done, next, a.Now())
	if err == nil || len(done) == 0 {
		return claims, err
	}
	return nil, errors.Join(err, a.finish(ctx, done...))
}

// await waits until a hand-over or a commit ends, and takes all that have ended too.
func (c *chunk) await() {
	select {
	case e := <-c.ends:
		c.end(e)
	case done := <-c.committed:
		c.take(done)
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

// take counts the deliveries that had ended already, and keeps the attempts that have begun.
func (c *chunk) take(done commit) {
	c.committing = false
	if done.err != nil {
		c.err = errors.Join(c.err, done.err)
		return
	}
	for i, claim := range done.claims {
		switch {
		case claim.Attempt > 0:
			c.claimed = append(c.claimed, claimed{done.items[i], claim})
		case claim.Taken:
			c.result.Sent++
		case claim.Suppressed:
			c.result.Suppressed++
		default:
			c.result.Ended++
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
	c.result.Unsent = c.queue
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
