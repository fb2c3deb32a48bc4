package silque_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/bench/silque"
	"github.com/silquetech/silque-notifications/bench/systemtest"
)

func TestEachCustomerGetsOneEmail(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run("on "+database, func(t *testing.T) {
			t.Parallel()
			systemtest.DeliversEachOnce(t, database, silque.Open)
		})
	}
}
