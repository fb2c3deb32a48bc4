package silque_test

import (
	"os"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestTheReadmeHoldsTheSettingsTable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := config.Table(); !strings.Contains(strings.ReplaceAll(string(readme), "\r\n", "\n"), table) {
		t.Errorf("README.md does not hold this table, which is made from internal/config:\n%s", table)
	}
}
