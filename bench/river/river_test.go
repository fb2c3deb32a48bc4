package river_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/bench/river"
	"github.com/silquetech/silque-notifications/bench/systemtest"
)

func TestEachCustomerGetsOneEmail(t *testing.T) {
	t.Parallel()
	systemtest.DeliversEachOnce(t, "postgres", river.Open)
}
