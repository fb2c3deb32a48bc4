package workflows_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"

	"github.com/silquetech/silque-notifications/workflows"
)

// The histories are recorded from the real thing by `go run ./dev/record`. Old ones stay when new ones come: a workflow
// that began before an upgrade goes on after it.

func recordedHistories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 38 {
		t.Fatalf("%d recorded histories, want at least 38: go run ./dev/record", len(files))
	}
	return files
}

func TestEveryRecordedHistoryReplays(t *testing.T) {
	t.Parallel()
	for _, file := range recordedHistories(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(workflows.SendNotification)
			replayer.RegisterWorkflow(workflows.AlertOnDates)
			if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}

// canaries are the personal data and message texts of the recording: none may enter Temporal.
var canaries = []string{"canary", "Q2FuYXJ5", "Y2FuYXJ5", "@example", "+12025550", "12025550"}

func TestNoRecordedHistoryHoldsPersonalData(t *testing.T) {
	t.Parallel()
	for _, file := range recordedHistories(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, canary := range canaries {
			if bytes.Contains(content, []byte(canary)) {
				t.Errorf("%s holds %q", file, canary)
			}
		}
	}
}
