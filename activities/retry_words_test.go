package activities

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/silquetech/silque-notifications/internal/rule"
)

func TestARefusalBecomesTemporalsWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		class Class
		kind  string
		final bool
	}{
		{Temporary, "Refused", false}, {Permanent, "RefusedEver", true}, {Unknown, "Doubtful", false},
	}
	for _, test := range tests {
		var got *temporal.ApplicationError
		if !errors.As(refused("d1", 2, test.class, "smtp_451", time.Minute), &got) {
			t.Fatal("no application error")
		}
		if got.Type() != test.kind || got.NonRetryable() != test.final || got.NextRetryDelay() != time.Minute ||
			got.Category() != temporal.ApplicationErrorCategoryBenign {
			t.Errorf("%s became %s, final %v, next in %s", test.class, got.Type(), got.NonRetryable(), got.NextRetryDelay())
		}
		for _, want := range []string{string(test.class), "d1", "2", "smtp_451"} {
			if !strings.Contains(got.Message(), want) {
				t.Errorf("%q is not in %q", want, got.Message())
			}
		}
	}
}

func TestADatabaseThatIsAwayEndsAHandOverAndRepeatsAStep(t *testing.T) {
	t.Parallel()
	for err, final := range map[error]bool{interrupted("claim"): true, retryStep("settle"): false} {
		var got *temporal.ApplicationError
		if !errors.As(err, &got) || got.Type() != "Store" || got.NonRetryable() != final || got.HasDetails() {
			t.Errorf("%v: final %v, want %v", err, !final, final)
		}
	}
}

func TestTheErrorThatEndedASendSaysWhatFailed(t *testing.T) {
	t.Parallel()
	d := Planned{ID: "d1", EventID: "e1", NotificationID: "n1", Channel: rule.SMS}
	tests := []struct {
		name        string
		err         error
		class       Class
		code        string
		interrupted bool
	}{
		{"refused for now", refused("d1", 3, Temporary, "http_503", 0), Temporary, "http_503", false},
		{"refused for good", refused("d1", 1, Permanent, "twilio_21211", 0), Permanent, "twilio_21211", false},
		{"in doubt", refused("d1", 3, Unknown, "timeout", 0), Unknown, "timeout", false},
		{"wrapped", fmt.Errorf("activity: %w", refused("d1", 3, Temporary, "http_503", 0)), Temporary, "http_503", false},
		{"the database was away", interrupted("claim"), Unknown, "database_unavailable", true},
		{"an error of another kind", temporal.NewApplicationError("panic", "PanicError"), Temporary, "internal", false},
		{"with details of no class", temporal.NewApplicationError("x", "Refused", refusalDetails{Code: "x"}), Temporary, "internal", false},
		{"the worker died", temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil), Unknown, "worker_lost", true},
		{"cancelled", temporal.NewCanceledError(), Temporary, "canceled", false},
		{"something else", errors.New("something else"), Unknown, "worker_lost", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := Failure{DeliveryID: "d1", EventID: "e1", NotificationID: "n1", Channel: rule.SMS,
				Class: test.class, Code: test.code, Interrupted: test.interrupted}
			if got := FailureOf(d, test.err); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestEachChannelHasItsErrorCode(t *testing.T) {
	t.Parallel()
	for c, want := range map[rule.Channel]rule.ErrCode{
		rule.Email: rule.EmailSendFail, rule.SMS: rule.SMSSendFail, rule.WhatsApp: rule.WhatsAppSendFail,
	} {
		if got := rule.SendFailCode(c); got != want {
			t.Errorf("%s: %s, want %s", c, got, want)
		}
	}
}
