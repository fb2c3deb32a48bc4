package asynq_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/bench/asynq"
	"github.com/silquetech/silque-notifications/bench/systemtest"
)

func TestEachCustomerGetsOneEmail(t *testing.T) {
	t.Parallel()
	systemtest.DeliversEachOnce(t, "postgres", asynq.Open)
}
