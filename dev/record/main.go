// Command record runs the development stack, lets every kind of SendNotification happen in it, and writes the histories
// to workflows/testdata, where the tests replay them. Run it in the repository's root after a change of a workflow, under
// a new -prefix: the earlier histories stay, because workflows that began before an upgrade go on after it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/stack"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

func main() {
	folder := flag.String("dir", "workflows/testdata", "folder of the histories")
	prefix := flag.String("prefix", "", "name of this recording, such as v2; files of that name are replaced")
	flag.Parse()
	if *prefix == "" {
		fmt.Fprintln(os.Stderr, "record: give the recording a name with -prefix, such as v2")
		os.Exit(2)
	}
	if err := record(context.Background(), *folder, *prefix); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// patience bounds the whole recording, which takes about half a minute.
const patience = 5 * time.Minute

func record(ctx context.Context, folder, prefix string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	running, err := stack.Start(ctx, stack.Options{
		Addr: "127.0.0.1:0", UIAddr: "127.0.0.1:0", TemporalAddr: "127.0.0.1:0",
		Environ: []string{"NOTIFY_RETRY_INTERVAL=300ms"}, LogTo: os.Stderr,
	})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := running.Stop(); err == nil {
			err = stopErr
		}
	}()
	temporal, err := wiring.Dial([]string{"TEMPORAL_ADDRESS=" + running.TemporalAddr()}, running.Logger())
	if err != nil {
		return err
	}
	defer temporal.Close()
	r := recorder{
		Client: apiclient.Client{URL: running.URL(), Token: running.Token()}, stack: running, temporal: temporal,
	}
	for _, s := range scenarios {
		workflowID, err := s.play(ctx, &r)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		file := filepath.Join(folder, prefix+"-"+s.name+".json")
		if err := r.write(ctx, workflowID, file); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(file)
	}
	return nil
}
