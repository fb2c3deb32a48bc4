package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// Print writes the rows as a table, or as the JSON object of the contract.
func Print(out io.Writer, rows []Row, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Machine string `json:"machine"`
			Rows    []Row  `json:"rows"`
		}{Machine(), rows})
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "system\tdatabase\tmessages\tsaved/s\tdelivered/s\tidle p50 ms\tidle p99 ms\tCPU ms/message\tMB\tevents/message\tactions/message\tnote")
	for _, r := range rows {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.System, r.Database, r.Messages, figure(r.Saved, 0), figure(r.Delivered, 0),
			figure(r.P50, 1), figure(r.P99, 1), figure(r.CPU, 2), figure(r.RSS, 0), figure(r.Events, 1), figure(r.Actions, 2), r.Note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\n"+Machine())
	return err
}

func figure(f float64, decimals int) string {
	if f == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, f)
}

// Machine describes where this runs: cores, processor, memory and system.
func Machine() string {
	return fmt.Sprintf("%d cores (%s), %s, %s/%s, %s", runtime.NumCPU(), fieldOf("/proc/cpuinfo", "model name"),
		fieldOf("/proc/meminfo", "MemTotal"), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func fieldOf(file, name string) string {
	content, _ := os.ReadFile(file)
	for line := range strings.Lines(string(content)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
