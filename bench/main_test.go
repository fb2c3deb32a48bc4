package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestWrongFlagsAreNamed(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"-n none":         "-n none",
		"-n 10,0":         "-n 10,0",
		"-systems nobody": "silque/sqlite",
		"-unknown":        "-unknown",
		"river":           "-systems",
	} {
		var out bytes.Buffer
		err := run(context.Background(), strings.Fields(arguments), &out, &out)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %s", arguments, err, want)
		}
	}
}
