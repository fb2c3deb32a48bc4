package celery_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/bench/celery"
	"github.com/silquetech/silque-notifications/bench/systemtest"
)

func TestEachCustomerGetsOneEmail(t *testing.T) {
	t.Parallel()
	systemtest.DeliversEachOnce(t, "sqlite", celery.Open)
}
