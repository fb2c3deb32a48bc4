package console

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// decisionView is what one notification did with an event, and why.
type decisionView struct {
	NotificationID string        `json:"notification_id"`
	Version        int64         `json:"version"`
	Outcome        rule.Decision `json:"outcome"`
	Detail         string        `json:"detail"`
	Deliveries     int           `json:"deliveries"`
	// Title is that of the version that looked; Since says what became of the notification: changed, deactivated, deleted.
	Title, Since string `json:"-"`
	// Lines are the conditions of the version that looked.
	Lines []conditionLine `json:"-"`
}

// Words say the outcome.
func (d decisionView) Words() string {
	switch d.Outcome {
	case rule.Sends:
		return "sent"
	case rule.Unchanged:
		return "the watched value did not change"
	case rule.FalseLines:
		return "no condition held"
	case rule.NoRecipient:
		return "no valid recipient"
	case rule.Invalid:
		return "the notification could not be used"
	default:
		return strings.ReplaceAll(string(d.Outcome), "_", " ")
	}
}

// Sent is whether it sent.
func (d decisionView) Sent() bool { return d.Outcome == rule.Sends }

// conditionLine is a line of the conditions and what it said.
type conditionLine struct {
	Number int
	Text   string
	// Said is true, false, broken, or empty when it is not known.
	Said string
}

// decisions reads what the notifications did, those that sent first, each with the texts of the version that looked.
func (s *Console) decisions(ctx context.Context, e *outbox.Event) ([]decisionView, error) {
	if e.Decisions == nil {
		return nil, nil
	}
	var found []decisionView
	if err := json.Unmarshal(e.Decisions, &found); err != nil {
		return nil, fmt.Errorf("console: decisions of event %s: %w", e.ID, err)
	}
	ids, looked := make([]string, len(found)), make([]store.VersionID, len(found))
	for i, d := range found {
		ids[i], looked[i] = d.NotificationID, store.VersionID{NotificationID: d.NotificationID, Version: d.Version}
	}
	versions, err := s.notifications.AtVersions(ctx, looked)
	if err != nil {
		return nil, err
	}
	current, err := s.notifications.Current(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range found {
		found[i].complete(versions[looked[i]], current[found[i].NotificationID])
	}
	slices.SortStableFunc(found, func(a, b decisionView) int {
		switch {
		case a.Sent() == b.Sent():
			return 0
		case a.Sent():
			return -1
		default:
			return 1
		}
	})
	return found, nil
}

func (d *decisionView) complete(then, now *rule.Notification) {
	switch {
	case now == nil:
		d.Since = "deleted"
	case !now.Active:
		d.Since = "deactivated"
	case now.Version != d.Version:
		d.Since = "changed"
	}
	if then != nil {
		d.Title, d.Lines = then.Title, linesOf(then.Conditions, *d)
	} else if now != nil {
		d.Title = now.Title
	}
}

var lineNumbers = regexp.MustCompile(`line (\d+(?:, \d+)*)`)

// linesOf gives the lines of conditions with what each said, as far as the decision's detail tells: it names the lines
// that held when one did, and otherwise those that did not, the broken ones once more.
func linesOf(conditions string, d decisionView) (lines []conditionLine) {
	named := lineNumbers.FindAllStringSubmatch(d.Detail, -1)
	numbers := func(i int) (found []int) {
		if i >= len(named) {
			return nil
		}
		for _, text := range strings.Split(named[i][1], ", ") {
			n, _ := strconv.Atoi(text)
			found = append(found, n)
		}
		return found
	}
	held, failed := strings.HasPrefix(d.Detail, "condition true"), strings.HasPrefix(d.Detail, "condition false")
	for i, text := range strings.Split(strings.ReplaceAll(conditions, "\r\n", "\n"), "\n") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		line := conditionLine{Number: i + 1, Text: text}
		switch {
		case held && slices.Contains(numbers(0), i+1):
			line.Said = "true"
		case held:
			line.Said = "false"
		case failed && slices.Contains(numbers(1), i+1):
			line.Said = "broken"
		case failed:
			line.Said = "false"
		}
		lines = append(lines, line)
	}
	if len(lines) == 1 && d.Sent() && lines[0].Said == "" {
		lines[0].Said = "true" // an older decision names no line, and there is but one
	}
	return lines
}
