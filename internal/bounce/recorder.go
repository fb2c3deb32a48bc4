package bounce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Outcome is what a report came to.
type Outcome string

// The outcomes. All but TooEarly are final: whoever sent the report need not send it again.
const (
	Failed         Outcome = "failed"           // the delivery has failed
	Arrived        Outcome = "delivered"        // the delivery has arrived
	Recorded       Outcome = "recorded"         // written into the error log; the delivery stays as it was
	Repeated       Outcome = "repeated"         // nothing in it is new
	NoDelivery     Outcome = "unknown_delivery" // not about an email that was sent from here, or not any more
	OtherRecipient Outcome = "other_recipient"  // about an address that the delivery did not go to: nothing was changed
	TooEarly       Outcome = "too_early"        // the delivery is still under way: send the report again later; its address may be suppressed already
)

// Result is what became of a report. It names no address.
type Result struct {
	DeliveryID string  `json:"delivery_id"`
	Outcome    Outcome `json:"outcome"`
	// Suppressed says that the address gets no emails from now on because of this report.
	Suppressed bool `json:"suppressed"`
}

// Recorder applies reports to the application's database. A report counts when it names a delivery that was handed over,
// and that delivery's own address. Reports can come in any order and more than once: what is left is the same. A bounce
// outweighs an arrival, which is often the next server's word alone.
type Recorder struct {
	db *gorm.DB
	by string
}

// NewRecorder gives a recorder on a database whose tables are up to date. by is who tells, for the suppressions' page.
func NewRecorder(db *gorm.DB, by string) Recorder {
	return Recorder{db: db.Session(&gorm.Session{NewDB: true, SkipHooks: true}), by: by}
}

// Record applies reports one by one, each at once or not at all, and gives what each came to. After an error, those before
// it stay applied; recording all of them again does no harm.
func (r Recorder) Record(ctx context.Context, reports ...Report) ([]Result, error) {
	results := make([]Result, 0, len(reports))
	for _, report := range reports {
		var result Result
		err := r.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
			result, err = r.one(tx, report)
			return err
		})
		if err != nil {
			return results, fmt.Errorf("bounce: record a report: %w", err)
		}
		results = append(results, result)
	}
	return results, nil
}

// Retry says whether some of the results are not final.
func Retry(results []Result) bool {
	for _, r := range results {
		if r.Outcome == TooEarly {
			return true
		}
	}
	return false
}

func (r Recorder) one(tx *gorm.DB, report Report) (Result, error) {
	d, err := told(tx, report)
	if err != nil || d == nil {
		return Result{Outcome: NoDelivery}, err
	}
	result := Result{DeliveryID: d.ID}
	if !same(report.Recipient, d.Address) && !same(report.Original, d.Address) {
		result.Outcome = OtherRecipient
		return result, nil
	}
	if report.Kind == Delivered {
		result.Outcome, err = r.arrived(tx, d)
		return result, err
	}
	entry, err := entryOf(report, d, tx.NowFunc().UTC())
	if err != nil {
		return result, err
	}
	if known, err := recorded(tx, entry.DedupKey); err != nil || known {
		result.Outcome = Repeated
		return result, err
	}
	if !d.Done() { // only the delivery has to wait: what the report says of the address holds for every other message to it
		result.Outcome = TooEarly
		result.Suppressed, err = r.suppress(tx, d, report)
		return result, err
	}
	if err := (store.Errors{DB: tx}).RecordTx(tx, entry); err != nil {
		return result, err
	}
	if result.Outcome = Recorded; report.Kind == Bounce {
		if result.Outcome, err = r.fail(tx, d, report.Code()); err != nil {
			return result, err
		}
	}
	result.Suppressed, err = r.suppress(tx, d, report)
	return result, err
}

// told finds the delivery that a report is about; nil when none of ours that was handed over is. On Postgres it is held
// until the transaction ends, so that two reports, or a report and a send, come one after the other.
func told(tx *gorm.DB, report Report) (*store.Delivery, error) {
	id, err := uuid.Parse(report.DeliveryID())
	if err != nil {
		return nil, nil //nolint:nilerr // a name that is none of ours
	}
	d, err := store.Deliveries{}.HoldTx(tx, id.String())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the delivery: %w", err)
	}
	// Another domain than that of the hand-over is another system's message. It is not known as long as the answer to the
	// hand-over is lost, and then the report is the first to say that there was one.
	foreign := strings.Contains(report.MessageID, "@") && d.ProviderID != "" && !strings.EqualFold(report.MessageID, d.ProviderID)
	if d.Channel != rule.Email || d.Attempts == 0 || foreign {
		return nil, nil
	}
	return d, nil
}

// same compares an address of a report with a delivery's. Mail servers do not keep to the case of what they repeat.
func same(told, ours string) bool {
	if normal, err := (address.Normalizer{}).Email(told); err == nil {
		told = normal
	}
	return told != "" && strings.EqualFold(told, ours)
}

func recorded(tx *gorm.DB, key string) (bool, error) {
	var rows int64
	if err := tx.Model(&store.ErrorEntry{}).Where("dedup_key = ?", key).Limit(1).Count(&rows).Error; err != nil {
		return false, fmt.Errorf("look for an earlier report: %w", err)
	}
	return rows > 0, nil
}

// arrived makes the delivery delivered, which ends a doubt, too.
func (r Recorder) arrived(tx *gorm.DB, d *store.Delivery) (Outcome, error) {
	if !d.Done() {
		return TooEarly, nil
	}
	now := tx.NowFunc().UTC()
	changed := tx.Model(&store.Delivery{}).Where("id = ? AND status IN ?", d.ID, []store.DeliveryStatus{store.DeliverySent, store.DeliveryUnknown}).
		Updates(map[string]any{"status": store.DeliveryDelivered, "error_code": "", "delivered_at": now, "updated_at": now})
	if changed.Error != nil {
		return "", fmt.Errorf("mark the delivery delivered: %w", changed.Error)
	}
	if changed.RowsAffected == 0 {
		return Repeated, nil
	}
	if d.Status == store.DeliveryUnknown {
		err := tx.Model(&store.ErrorEntry{}).Where("delivery_id = ?", d.ID).Where("NOT resolved").
			Updates(map[string]any{"resolved": true, "resolved_at": now}).Error
		if err != nil {
			return "", fmt.Errorf("resolve the doubt about a delivery: %w", err)
		}
	}
	return Arrived, nil
}

// fail ends a delivery that came back.
func (r Recorder) fail(tx *gorm.DB, d *store.Delivery, code string) (Outcome, error) {
	taken := []store.DeliveryStatus{store.DeliverySent, store.DeliveryDelivered, store.DeliveryUnknown}
	changed := tx.Model(&store.Delivery{}).Where("id = ? AND status IN ?", d.ID, taken).
		Updates(map[string]any{"status": store.DeliveryFailed, "error_code": code, "updated_at": tx.NowFunc().UTC()})
	if changed.Error != nil {
		return "", fmt.Errorf("mark the delivery failed: %w", changed.Error)
	}
	if changed.RowsAffected == 0 {
		return Recorded, nil
	}
	return Failed, nil
}

// suppress keeps further emails from an address that is no mailbox, or whose owner calls them spam. When an alias or a
// forwarding led on from our address, it is the mailbox behind it that does not exist, and perhaps one of several.
func (r Recorder) suppress(tx *gorm.DB, d *store.Delivery, report Report) (bool, error) {
	added := &store.Suppression{
		Channel: rule.Email, Address: d.Address, Source: store.SuppressedByHook, DeliveryID: d.ID, CreatedBy: r.by, Detail: report.Status,
	}
	switch {
	case report.Kind == Complaint:
		added.Reason = store.SuppressedComplaint
	case report.Hard() && same(report.Recipient, d.Address):
		added.Reason = store.SuppressedBounce
	default:
		return false, nil
	}
	fresh, err := store.Suppressions{DB: tx}.AddTx(tx, added)
	return fresh, err
}

// entryOf is the report's row in the error log. Its key is the report's identity: the same report twice is one row, and
// the same words about a message that was sent again are another when their sender says so.
func entryOf(report Report, d *store.Delivery, now time.Time) (*store.ErrorEntry, error) {
	extra, err := json.Marshal(map[string]any{
		"channel": rule.Email, "provider_code": report.Code(), "class": report.Kind, "provider_answer": report.Diagnostic,
	})
	if err != nil {
		return nil, fmt.Errorf("context of a report: %w", err)
	}
	entry := &store.ErrorEntry{
		Code: string(codes[report.Kind]), Source: "receipt", Message: message(report),
		EventID: d.EventID, DeliveryID: d.ID, NotificationID: d.NotificationID, Attempt: d.Attempts, Context: extra,
		DedupKey: "bounce:" + d.ID + ":" + report.Identity(),
	}
	if report.Kind == Delayed { // nothing to do yet: it is here for who wonders where the email is
		entry.Resolved, entry.ResolvedAt = true, &now
	}
	return entry, nil
}

// codes are the error log's, by what was reported.
var codes = map[Kind]rule.ErrCode{Bounce: rule.EmailSendFail, Complaint: rule.EmailComplaint, Delayed: rule.EmailDelayed}

// message says what happened and what to do about it.
func message(report Report) string {
	code := report.Status
	if code == "" {
		code = "no status code"
	}
	switch {
	case report.Kind == Complaint:
		return "The recipient called it spam. The address gets no more emails until its suppression is lifted: ask the recipient before you do."
	case report.Kind == Delayed:
		return fmt.Sprintf("It has not arrived yet (%s). The mail server goes on trying, and reports when it gives up.", code)
	case report.Hard():
		return fmt.Sprintf("It came back (%s): the address is no mailbox. Mend the address where it comes from.", code)
	case strings.HasPrefix(report.Status, "4."):
		return fmt.Sprintf("It came back (%s): the mail server tried for some time and has given up. Retry when the recipient's server is back.", code)
	default:
		return fmt.Sprintf("It came back (%s). See what the mail server says, mend that, then retry.", code)
	}
}
