package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
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
	over := time.NewTimer(chunkBudget)
	defer over.Stop()
	c.over = over.C
	for {
		c.commit(ctx)
		c.begin(ctx)
		if c.underWay == 0 && !c.committing {
			break
		}
		if !time.Now().Before(c.until) {
			c.giveBack(ctx) // a hand-over that hangs must not hold what has not begun
		}
		c.await()
	}
	c.giveBack(ctx)
	c.releases.Wait()
	return c.outcome()
}

// outcome gives what the chunk came to. After an error of the database it gives what is written down, if there is
// something: a refused delivery must wait before it is tried again.
func (c *chunk) outcome() (ChunkResult, error) {
	c.result.Unsent = append(c.result.Unsent, c.queue...)
	if c.err == nil {
		return c.result, nil
	}
	err := c.a.unavailable("end and begin attempts", c.err)
	if len(c.done) > 0 || c.unwritten || c.result.Sent+len(c.result.Refused) == 0 {
		return ChunkResult{}, err
	}
	c.result.Later = max(c.result.Later, minPause)
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
	// over ends the time for new attempts.
	over     <-chan time.Time
	releases sync.WaitGroup
	err      error
	// unwritten: attempts have ended that could not be written down.
	unwritten bool
	result    ChunkResult
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
	// ended: what was done is written down, whatever became of the claims.
	ended bool
	err   error
}

// begin hands over as many as the channel has turns for.
func (c *chunk) begin(ctx context.Context) {
	for c.beginSome(ctx) > 0 {
		continue
	}
}

// beginSome hands over what the channel admits together. It waits for a turn only when nothing else is under way.
func (c *chunk) beginSome(ctx context.Context) int {
	patience := time.Until(c.until)
	if len(c.claimed) == 0 || patience <= 0 || c.err != nil {
		return 0
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
		c.releases.Add(1)
		go func() {
			started := c.a.Now()
			e := c.a.handOver(ctx, c.channel, next.claim)
			e.DeliveryID, e.Number, e.StartedAt, e.FinishedAt = next.item.ID, next.claim.Attempt, started, c.a.Now()
			admitted.free()
			c.ends <- e // first: a success must be written down, however long the gate takes
			admitted.end(true)
			c.releases.Done()
		}()
	}
	c.claimed = c.claimed[admitted.granted:]
	return admitted.granted
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
	go func() { c.committed <- c.a.advance(ctx, done, items) }()
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
func (a *Activities) advance(ctx context.Context, done []Attempt, items []ChunkItem) commit {
	next := make([]SendInput, len(items))
	for i, item := range items {
		next[i] = SendInput{DeliveryID: item.ID, RetryEventID: item.RetryEventID}
	}
	claims, err := a.Ledger.Advance(ctx, done, next, a.Now())
	if err == nil {
		return commit{items: items, claims: claims, ended: true}
	}
	unwritten := a.finish(ctx, done...)
	return commit{items: items, ended: unwritten == nil || len(done) == 0, err: errors.Join(err, unwritten)}
}

// await waits until a hand-over or a commit ends, or the time is over, and takes all that have ended too.
func (c *chunk) await() {
	select {
	case <-c.over:
		c.until = time.Time{}
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
		c.err, c.unwritten = errors.Join(c.err, done.err), c.unwritten || !done.ended
		c.queue = slices.Concat(done.items, c.queue)
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

// giveBack takes the claims back whose hand-over did not begin: that was no attempt. If it fails, they count as in doubt.
func (c *chunk) giveBack(ctx context.Context) {
	if len(c.claimed) == 0 {
		return
	}
	back := make([]Attempt, len(c.claimed))
	for i, next := range c.claimed {
		back[i] = Attempt{DeliveryID: next.item.ID, Number: next.claim.Attempt}
		c.result.Unsent = append(c.result.Unsent, next.item)
	}
	c.claimed = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if err := c.a.Ledger.GiveBack(ctx, back, c.a.Now()); err != nil {
		c.err = errors.Join(c.err, err)
	}
}
