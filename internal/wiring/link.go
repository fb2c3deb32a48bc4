package wiring

import (
	"net/url"
	"strings"
)

// WorkflowLink gives a function from a workflow ID to its page in Temporal Web UI.
func WorkflowLink(uiURL, namespace string) func(workflowID string) string {
	prefix := strings.TrimRight(uiURL, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows/"
	return func(workflowID string) string { return prefix + url.PathEscape(workflowID) }
}
